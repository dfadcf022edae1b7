#include "tools/node/served_application.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tools/node/packet.hpp"

namespace lockstep::node {

std::optional<std::string> ServedApplication::ask(std::span<const std::byte> request,
                                                  std::uint64_t token) {
  const std::scoped_lock held(lock_);
  if (group_ == nullptr) return refusal(closed_because_);
  if (auto answer = application_.answer(request)) return answer;
  if (in_flight_.size() >= kMostInFlight) {
    return refusal(
        fmt::format("{} requests wait for the order, the most allowed; try again", kMostInFlight));
  }
  // The mailbox may be larger than what a message can be.
  if (request.size() > group_->max_payload_bytes()) {
    return post_refused({.outcome = Outcome::too_large}, request.size());
  }
  if (const auto posted = group_->post(request, token); !posted) {
    return post_refused(posted.error(), request.size());
  }
  in_flight_.push_back(token);
  return std::nullopt;
}

std::string ServedApplication::post_refused(const Refusal& refused, std::size_t bytes) const {
  switch (refused.outcome) {
    case Outcome::too_large:
      return refusal(
          fmt::format("the request has {} bytes, more than this member can send: "
                      "group.mailbox_payload_bytes, and {}, a little less than half of "
                      "group.ring_bytes",
                      bytes, group_->max_payload_bytes()));
    case Outcome::not_sender:
      return refusal("this member is not among group.senders; ask another one");
    case Outcome::not_member:
      return refusal("the others go on without this member; ask another one");
    default:
      return refusal("group.mailbox_slots requests wait for the order already; try again");
  }
}

std::vector<ServedApplication::Answer> ServedApplication::take_answers() {
  const std::scoped_lock held(lock_);
  return std::exchange(answers_, {});
}

void ServedApplication::open(Group& group) {
  const std::scoped_lock held(lock_);
  group_ = &group;
}

void ServedApplication::close(std::string_view reason) {
  const std::scoped_lock held(lock_);
  group_ = nullptr;
  closed_because_ = reason;
}

void ServedApplication::give_up(std::string_view reason) {
  const std::scoped_lock held(lock_);
  for (const std::uint64_t token : in_flight_) answers_.push_back({token, refusal(reason)});
  in_flight_.clear();
  bell_.ring();
}

bool ServedApplication::all_answered() {
  const std::scoped_lock held(lock_);
  return in_flight_.empty();
}

void ServedApplication::apply(const Message& message) {
  const std::scoped_lock held(lock_);
  application_.apply(message);
  if (!message.mine) return;
  // Mostly the first: they come back in the order in which they were sent.
  const auto found = std::ranges::find(in_flight_, message.token);
  if (found == in_flight_.end()) return;
  in_flight_.erase(found);
  if (answers_.empty()) bell_.ring();
  answers_.push_back({message.token, application_.last_reply()});
}

bool ServedApplication::save(SnapshotWriter& writer) {
  const std::scoped_lock held(lock_);
  return application_.save(writer);
}

void ServedApplication::load(SnapshotReader& reader) {
  const std::scoped_lock held(lock_);
  application_.load(reader);
}

void ServedApplication::clear() {
  const std::scoped_lock held(lock_);
  application_.clear();
}

std::string ServedApplication::summary() {
  const std::scoped_lock held(lock_);
  return application_.summary();
}

}  // namespace lockstep::node
