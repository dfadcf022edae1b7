#include "examples/cart/cart.hpp"

#include <fmt/ranges.h>

#include <cstring>
#include <new>

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

}  // namespace

void Cart::apply(const Message& message) {
  Put put;
  if (message.payload.size() != sizeof put) return;  // not one of ours: ignored by all alike
  std::memcpy(&put, message.payload.data(), sizeof put);
  put.key.back() = '\0';
  items_[put.key.data()] = put.value;
  transcript_.tell(step_of(put.value), "PUT {} {} by {}", put.key.data(), put.value,
                   view_.members[message.sender]);
}

// All members of the new view have applied the same messages of the old one.
void Cart::view_installed(const View& view) {
  view_ = view;
  if (view.id > 2) return;  // the story is over: members leave
  transcript_.tell(view.id == 1 ? Step::view_1 : Step::view_2, "view {} of {}: cart = {}", view.id,
                   fmt::join(view.members, " "), value());
}

std::uint64_t Cart::value() const {
  const auto found = items_.find(kKey);
  return found == items_.end() ? 0 : found->second;
}

bool put(Group& group, std::uint64_t value) {
  const auto slot = group.claim(sizeof(Put));
  if (!slot) return false;
  auto* const put = new (slot->data()) Put{.key = {}, .value = value};
  launch::store_text(put->key, kKey);
  slot->publish();
  return true;
}

}  // namespace lockstep::examples
