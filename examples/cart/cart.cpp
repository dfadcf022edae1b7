#include "examples/cart/cart.hpp"

#include <fmt/ranges.h>

#include <array>
#include <cstring>
#include <new>
#include <string_view>

namespace lockstep::examples {
namespace {

constexpr const char* kKey = "cart";

Step step_of(std::uint64_t value) {
  switch (value) {
    case 5:
      return Step::put_5;
    case 10:
      return Step::put_10;
    case 20:
      return Step::put_20;
    default:
      return Step::put_30;
  }
}

Put assignment(std::string_view key, std::uint64_t value) {
  Put put{.key = {}, .value = value};
  launch::store_text(put.key, key);
  return put;
}

}  // namespace

void Cart::apply(const Message& message) {
  if (message.payload.size() != sizeof(Put)) return;  // not one of ours: ignored by all alike
  const auto& [key, value] = assign(message.payload);
  transcript_.tell(step_of(value), "PUT {} {} by {}", key, value, view_.members[message.sender]);
}

// All members of the new view have applied the same messages of the old one.
void Cart::view_installed(const View& view) {
  view_ = view;
  constexpr std::array kTold = {Step::view_1, Step::view_2, Step::view_3};
  if (view.id > kTold.size()) return;  // the story is over: members leave
  transcript_.tell(kTold[view.id - 1], "view {} of {}: cart = {}", view.id,
                   fmt::join(view.members, " "), value());
}

// What is applied between two calls is not part of the state that is given: hence the copy.
bool Cart::save(SnapshotWriter& writer) {
  if (writer.first()) {
    travelling_.clear();
    saved_bytes_ = 0;
    for (const auto& [key, value] : items_) {
      const Put entry = assignment(key, value);
      const auto bytes = std::as_bytes(std::span(&entry, 1));
      travelling_.insert(travelling_.end(), bytes.begin(), bytes.end());
    }
    transcript_.tell(Step::save, "the state at the beginning of view {} is given: cart = {}",
                     writer.cut(), value());
  }
  saved_bytes_ += writer.write(std::span(travelling_).subspan(saved_bytes_));
  return saved_bytes_ == travelling_.size();
}

void Cart::load(SnapshotReader& reader) {
  if (reader.first()) travelling_.clear();
  travelling_.insert(travelling_.end(), reader.bytes().begin(), reader.bytes().end());
  if (!reader.last()) return;
  if (travelling_.size() % sizeof(Put) != 0) return reader.fail("it is not a row of assignments");
  items_.clear();
  for (std::size_t at = 0; at < travelling_.size(); at += sizeof(Put)) {
    assign(std::span(travelling_).subspan(at, sizeof(Put)));
  }
  transcript_.tell(Step::load, "the state has come: cart = {}", value());
}

const Cart::Item& Cart::assign(std::span<const std::byte> assignment) {
  Put put;
  std::memcpy(&put, assignment.data(), sizeof put);
  put.key.back() = '\0';
  return *items_.insert_or_assign(put.key.data(), put.value).first;
}

std::uint64_t Cart::value() const {
  const auto found = items_.find(kKey);
  return found == items_.end() ? 0 : found->second;
}

bool put(Group& group, std::uint64_t value) {
  const auto slot = group.claim(sizeof(Put));
  if (!slot) return false;
  new (slot->data()) Put(assignment(kKey, value));
  slot->publish();
  return true;
}

}  // namespace lockstep::examples
