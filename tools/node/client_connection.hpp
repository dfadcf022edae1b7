#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "lockstep/error.hpp"
#include "tools/node/descriptor.hpp"
#include "tools/node/kv_packet.hpp"

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
  /// The request at the front, once it is whole (`bytes` > 0). Errors: input.
  [[nodiscard]] Expected<Decoded<Request>> request() const {
    return decode_request(as_bytes(unread_));
  }
  /// The first `bytes` of what was read, until the next call that changes anything.
  [[nodiscard]] std::span<const std::byte> front(std::size_t bytes) const {
    return as_bytes(unread_).first(bytes);
  }
  /// The request at the front has been taken; its answer comes later, under `token`.
  void wait_for_answer(std::uint64_t token) { token_ = token; }
  /// The answer to the request at the front, which is done with.
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
  std::uint64_t token_ = 0;
  std::uint64_t since_ms_ = 0;  ///< when bytes last moved, or a request was answered
  bool ending_ = false;
};

}  // namespace lockstep::node
