#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "transports/hello/meeting_place.hpp"

namespace lockstep::transports {

/// A hello over a stream: read exactly up to its end, so that what the peer sends after it stays in
/// the socket for the transport. `socket` is non-blocking and may still be connecting.
class TcpConversation final : public Conversation {
 public:
  explicit TcpConversation(Descriptor socket) : socket_(std::move(socket)) {}

  bool say(std::span<const std::byte> packet, std::span<const int> descriptors) override;
  Heard hear() override;
  [[nodiscard]] int descriptor() const override { return socket_.get(); }
  [[nodiscard]] bool sending() const override { return !to_send_.empty(); }
  Descriptor release() override { return std::move(socket_); }

 private:
  enum class Progress { done, later, broken };
  Progress send_rest();
  /// Reads until `received_` holds `bytes`.
  Progress receive_up_to(std::size_t bytes);
  [[nodiscard]] bool talks_to_itself() const;

  Descriptor socket_;
  std::vector<std::byte> to_send_;
  std::vector<std::byte> received_;
};

}  // namespace lockstep::transports
