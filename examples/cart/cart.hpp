#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "examples/cart/transcript.hpp"
#include "lockstep/group.hpp"

namespace lockstep::examples {

/// What is multicast: an assignment. A state is a row of them, one for each key.
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
  bool save(SnapshotWriter& writer) override;
  void load(SnapshotReader& reader) override;

  /// 0 before the first put.
  [[nodiscard]] std::uint64_t value() const;
  [[nodiscard]] const View& view() const noexcept { return view_; }

 private:
  using Items = std::map<std::string, std::uint64_t>;
  using Item = Items::value_type;

  /// Takes the bytes of a Put.
  const Item& assign(std::span<const std::byte> assignment);

  Transcript& transcript_;
  View view_;
  Items items_;
  std::vector<std::byte> travelling_;  ///< a state on its way out or in
  std::size_t saved_bytes_ = 0;        ///< of it
};

/// Publishes PUT cart `value`. False: try again after a turn of the reactor.
bool put(Group& group, std::uint64_t value);

}  // namespace lockstep::examples
