#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "transports/hello/hello_exchange.hpp"
#include "transports/hello/meeting_place.hpp"

namespace lockstep::transports {

/// An exchange of hellos over a TCP connection. Read exactly up to its end, so that what the peer
/// sends after it stays in the socket for the transport. `socket` is non-blocking and may still be
/// connecting; `peer` is the address at its other end, for people, and `host` the
/// one that was dialled or that dialled: it stays known when the connection is no more.
class TcpConversation final : public Conversation {
 public:
  TcpConversation(Descriptor socket, std::unique_ptr<HelloExchange> exchange, std::string peer,
                  std::string host)
      : socket_(std::move(socket)),
        exchange_(std::move(exchange)),
        peer_(std::move(peer)),
        host_(std::move(host)) {}

  bool say(std::span<const std::byte> packet, std::span<const int> descriptors) override;
  Heard hear() override;
  [[nodiscard]] int descriptor() const override { return socket_.get(); }
  [[nodiscard]] bool sending() const override { return !to_send_.empty(); }
  [[nodiscard]] bool early() const override { return !connected_ || exchange_->early(); }
  [[nodiscard]] std::string peer() const override { return peer_; }
  [[nodiscard]] std::string host() const override;
  std::unique_ptr<LinkKeys> take_keys() override { return exchange_->take_keys(); }
  Descriptor release() override { return std::move(socket_); }

 private:
  enum class Progress { done, later, broken };
  Progress send_rest();
  void queue_output();
  /// Reads until `received_` holds `bytes`.
  Progress receive_up_to(std::size_t bytes);
  [[nodiscard]] Heard closed() const;
  [[nodiscard]] bool talks_to_itself() const;

  Descriptor socket_;
  std::unique_ptr<HelloExchange> exchange_;
  std::string peer_;
  std::string host_;
  std::vector<std::byte> to_send_;
  std::vector<std::byte> received_;                ///< of what the exchange wants next
  std::optional<std::vector<std::byte>> hello_{};  ///< the peer's
  bool connected_ = false;
};

}  // namespace lockstep::transports
