#include "tools/node/served_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep::node {

std::optional<std::string> ServedStore::ask(const Request& request,
                                            std::span<const std::byte> packet,
                                            std::uint64_t token) {
  const std::scoped_lock held(lock_);
  if (group_ == nullptr) return refusal(closed_because_);
  if (request.kind == RequestKind::get) return store_.reply_to_get(request.key);
  if (request.kind == RequestKind::list) return store_.reply_to_list(request.key);
  if (in_flight_.size() >= kMostInFlight) {
    return refusal(
        fmt::format("{} requests wait for the order, the most allowed; try again", kMostInFlight));
  }
  // The mailbox may be larger than what a message can be.
  if (packet.size() > group_->max_payload_bytes()) {
    return post_refused({.outcome = Outcome::too_large}, packet.size());
  }
  if (const auto posted = group_->post(packet, token); !posted) {
    return post_refused(posted.error(), packet.size());
  }
  in_flight_.push_back(token);
  return std::nullopt;
}

std::string ServedStore::post_refused(const Refusal& refused, std::size_t bytes) const {
  switch (refused.outcome) {
    case Outcome::too_large:
      return refusal(
          fmt::format("key, value and 12 bytes are {} bytes, more than this member can "
                      "send: group.mailbox_payload_bytes, and {}, a little less than "
                      "half of group.ring_bytes",
                      bytes, group_->max_payload_bytes()));
    case Outcome::not_sender:
      return refusal("this member is not among group.senders; ask another one");
    case Outcome::not_member:
      return refusal("the others go on without this member; ask another one");
    default:
      return refusal("group.mailbox_slots requests wait for the order already; try again");
  }
}

std::vector<ServedStore::Answer> ServedStore::take_answers() {
  const std::scoped_lock held(lock_);
  return std::exchange(answers_, {});
}

void ServedStore::open(Group& group) {
  const std::scoped_lock held(lock_);
  group_ = &group;
}

void ServedStore::close(std::string_view reason) {
  const std::scoped_lock held(lock_);
  group_ = nullptr;
  closed_because_ = reason;
}

void ServedStore::give_up(std::string_view reason) {
  const std::scoped_lock held(lock_);
  for (const std::uint64_t token : in_flight_) answers_.push_back({token, refusal(reason)});
  in_flight_.clear();
  bell_.ring();
}

bool ServedStore::all_answered() {
  const std::scoped_lock held(lock_);
  return in_flight_.empty();
}

void ServedStore::apply(const Message& message) {
  const std::scoped_lock held(lock_);
  store_.apply(message);
  if (!message.mine) return;
  // Mostly the first: they come back in the order in which they were sent.
  const auto found = std::ranges::find(in_flight_, message.token);
  if (found == in_flight_.end()) return;
  in_flight_.erase(found);
  if (answers_.empty()) bell_.ring();
  answers_.push_back({message.token, store_.last_reply()});
}

bool ServedStore::save(SnapshotWriter& writer) {
  const std::scoped_lock held(lock_);
  return store_.save(writer);
}

void ServedStore::load(SnapshotReader& reader) {
  const std::scoped_lock held(lock_);
  store_.load(reader);
}

void ServedStore::clear() {
  const std::scoped_lock held(lock_);
  store_.clear();
}

std::string ServedStore::summary() {
  const std::scoped_lock held(lock_);
  return fmt::format("{} keys, digest {:016x}", store_.state().entries().size(),
                     store_.state().digest());
}

}  // namespace lockstep::node
