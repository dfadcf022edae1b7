#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "tools/node/descriptor.hpp"
#include "tools/node/packet.hpp"

namespace lockstep::node {

/// One client of a member: bytes in, at most one packet of them, and bytes out, at most one reply.
/// While a request waits for its answer nothing is read, so a client that sends ahead waits in its
/// own socket. Gateway thread only; nothing blocks.
class ClientConnection {
 public:
  ClientConnection(Descriptor socket, std::uint64_t number)
      : socket_(std::move(socket)), number_(number) {}

  /// Reads what is there. False: the client is gone.
  bool receive();
  /// What was read and not answered, until the next call that changes anything.
  [[nodiscard]] std::span<const std::byte> unread() const { return as_bytes(unread_); }
  /// The first `request_bytes` of it have been taken; their answer comes later, under `token`.
  void wait_for_answer(std::size_t request_bytes, std::uint64_t token) {
    waiting_bytes_ = request_bytes;
    token_ = token;
  }
  /// The answer that was waited for.
  void answer(const std::string& packet) { answer(waiting_bytes_, packet); }
  /// The answer to the first `request_bytes`, which are done with.
  void answer(std::size_t request_bytes, const std::string& packet);
  /// An answer to nothing that was understood; the connection ends when it has been taken.
  void end_with(const std::string& packet);
  /// Writes what the client takes. False: the client is gone, or has all that it will get.
  bool send();

  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  /// 0: nothing waits.
  [[nodiscard]] std::uint64_t token() const noexcept { return token_; }
  [[nodiscard]] bool wants_to_write() const noexcept { return written_ < unsent_.size(); }
  [[nodiscard]] bool may_read() const noexcept {
    return token_ == 0 && !wants_to_write() && !ending_;
  }
  /// What the client keeps this member waiting for, since `since_ms`; empty: nothing.
  [[nodiscard]] std::string_view owed() const noexcept {
    if (wants_to_write()) return "it does not take its reply";
    return token_ == 0 && !unread_.empty() ? "its request is not whole" : "";
  }
  [[nodiscard]] std::uint64_t since_ms() const noexcept { return since_ms_; }
  void moved(std::uint64_t now_ms) noexcept { since_ms_ = now_ms; }

 private:
  Descriptor socket_;
  std::uint64_t number_;
  std::string unread_;
  std::string unsent_;
  std::size_t written_ = 0;
  std::size_t waiting_bytes_ = 0;  ///< of the request that waits under…
  std::uint64_t token_ = 0;        ///< …this
  std::uint64_t since_ms_ = 0;     ///< when bytes last moved, or a request was answered
  bool ending_ = false;
};

}  // namespace lockstep::node
