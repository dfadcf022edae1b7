#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transports/hello/handshake.hpp"
#include "transports/hello/hello_exchange.hpp"
#include "transports/hello/sealed_hello.hpp"

namespace lockstep::transports {

/// A handshake, then sealed hellos. Until the other side has proved that it knows the key, nothing
/// of the group is said, and what it may send has a fixed length.
///
///     dialler    opening ·             · confirmation, sealed hello ·
///     welcomer           · answer      ·                            · sealed hello
class AuthenticatedExchange final : public HelloExchange {
 public:
  /// `key` must outlive this.
  AuthenticatedExchange(const GroupKey& key, Side side, HandshakeTerms terms);

  [[nodiscard]] std::size_t wanted() const override;
  Heard hear(std::span<const std::byte> bytes) override;
  void say(std::span<const std::byte> hello) override;
  std::vector<std::byte> take_output() override;
  std::unique_ptr<LinkKeys> take_keys() override;
  [[nodiscard]] bool early() const override { return stage_ <= Stage::greeting; }
  [[nodiscard]] std::string closing_means() const override;

 private:
  /// What comes next. The dialler skips `confirmation`.
  enum class Stage : std::uint8_t { preamble, greeting, confirmation, hello };

  [[nodiscard]] Side other_side() const {
    return side_ == Side::dialler ? Side::welcomer : Side::dialler;
  }
  Heard hear_preamble(std::span<const std::byte> bytes);
  Heard hear_greeting(std::span<const std::byte> bytes);
  Heard hear_confirmation(std::span<const std::byte> bytes);
  Heard hear_hello(std::span<const std::byte> bytes);
  Heard refuse(Word word, std::string reason);
  void send(Word word, const Greeting& greeting);
  /// The other side is a member: its hello may come, ours may go.
  void trust();
  void send_hello();

  const Side side_;
  Handshake handshake_;
  Stage stage_ = Stage::preamble;
  std::optional<SealedHello> theirs_;
  std::vector<std::byte> mine_;  ///< until it can be sealed
  std::vector<std::byte> output_;
};

}  // namespace lockstep::transports
