#include "bench/member.hpp"

#include <fmt/format.h>

#include "tools/launch/text.hpp"

namespace lockstep::bench {
namespace {

ReactorConfig reactor_config(const Plan& plan, std::uint32_t rank) {
  ReactorConfig config;
  config.idle = plan.options.idle;
  if (!plan.cores.empty()) config.core = plan.cores[rank];
  return config;
}

}  // namespace

void Consumer::apply(const Message& message) {
  digest_.add(message.sequence, message.sender, sum(message.payload));
  ++applied_;
  if (message.mine) {
    ++own_applied_;
    if (own_latency_ != nullptr) own_latency_->record(clock_.now_ns() - message.token);
  }
  if (!stamps_) return;
  const std::uint64_t k = by_sender_[message.sender]++;
  if (stamps_->chosen(k)) stamps_->applied(rank_, message.sender, k, clock_.now_ns());
}

void Consumer::member_unreachable(const MemberUnreachable& lost) {
  lost_ = fmt::format("lost rank {} ({}): {}", lost.rank, lost.name, lost.reason);
}

Member::Member(Session& session, std::uint32_t rank)
    : session_(session),
      rank_(rank),
      payload_bytes_(session.plan.options.payload_bytes),
      reactor_(reactor_config(session.plan, rank)),
      consumer_(session.clock, session.plan.options.members) {}

Expected<std::unique_ptr<Member>> Member::join(Session& session, std::uint32_t rank) {
  auto member = std::unique_ptr<Member>(new Member(session, rank));
  auto group = Group::join(member->reactor_, group_config(session.plan, session.group_name, rank),
                           member->consumer_);
  if (!group) return std::unexpected(group.error());
  member->group_.emplace(std::move(*group));
  const std::uint64_t most_bytes = member->group_->max_payload_bytes();
  const Options& options = session.plan.options;
  if (options.payload_bytes > most_bytes) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("--payload-bytes {}: a ring of {} bytes takes at most {}; raise "
                            "--ring-bytes",
                            options.payload_bytes, options.ring_bytes, most_bytes));
  }
  member->record_notices();
  return member;
}

void Member::record_notices() {
  MemberRecord& record = session_.records[rank_];
  record.idle = static_cast<std::uint64_t>(reactor_.idle_policy());
  launch::store_text(record.notices, fmt::format("{}", fmt::join(reactor_.notices(), "\n")));
}

Expected<void> Member::check(const char* what, std::uint64_t& deadline_ns) {
  if (!consumer_.lost().empty()) return fail(ErrorCode::member_lost, consumer_.lost());
  if (session_.control().failed_rank.load() != 0) {
    return fail(ErrorCode::member_lost, "another member failed");
  }
  const std::uint64_t now_ns = session_.clock.now_ns();
  if (deadline_ns == 0) deadline_ns = now_ns + kWaitNs;
  if (now_ns < deadline_ns) return {};
  return fail(ErrorCode::timed_out,
              fmt::format("waited {} s for {}", kWaitNs / 1'000'000'000, what));
}

void Member::stamp(Stamps stamps) noexcept {
  stamps.touch(rank_);
  stamps_ = stamps;
  consumer_.stamp(stamps, rank_);
}

Expected<bool> Member::refused(Outcome outcome) {
  if (outcome == Outcome::would_block) return false;
  if (!consumer_.lost().empty()) return fail(ErrorCode::member_lost, consumer_.lost());
  return fail(ErrorCode::member_lost, fmt::format("a claim of {} bytes was refused: {}",
                                                  payload_bytes_, to_string(outcome)));
}

Expected<void> Member::finish() {
  Control& control = session_.control();
  const std::uint32_t members = session_.plan.options.members;
  MemberRecord& record = session_.records[rank_];
  record.applied = consumer_.applied();
  record.hash = consumer_.hash();
  control.finished.add(1);
  return turn_until("all members to finish", [&] { return control.finished.load() == members; });
}

}  // namespace lockstep::bench
