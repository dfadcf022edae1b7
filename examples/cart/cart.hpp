#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "examples/cart/transcript.hpp"
#include "lockstep/group.hpp"

namespace lockstep::examples {

/// What is multicast: an assignment.
struct Put {
  std::array<char, 8> key;  ///< zero-terminated
  std::uint64_t value;
};
static_assert(sizeof(Put) == 16);

/// The replicated store: keys and numbers. It tells what it sees, step by step; not who became
/// unreachable: who hears of a death from the others' agreement may never have noticed it itself.
class Cart final : public StateMachine {
 public:
  explicit Cart(Transcript& transcript) : transcript_(transcript) {}

  void apply(const Message& message) override;
  void view_installed(const View& view) override;

  /// 0 before the first put.
  [[nodiscard]] std::uint64_t value() const;
  [[nodiscard]] const View& view() const noexcept { return view_; }

 private:
  Transcript& transcript_;
  View view_;
  std::map<std::string, std::uint64_t> items_;
};

/// Publishes PUT cart `value`. False: try again after a turn of the reactor.
bool put(Group& group, std::uint64_t value);

}  // namespace lockstep::examples
