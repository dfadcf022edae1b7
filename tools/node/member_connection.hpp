#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "lockstep/error.hpp"
#include "tools/node/address.hpp"
#include "tools/node/packet.hpp"

namespace lockstep::node {

/// A client's connection to one member, for programs that may wait: one request, one reply. Blocks,
/// for at most the time it was made with, over all its calls together or since `go_on`. Errors:
/// system (the connection), timed_out, input (what answers is no member), invalid_argument (the
/// member refuses; its reason).
class MemberConnection {
 public:
  static Expected<MemberConnection> connect(const Address& address, std::uint64_t timeout_ms);

  /// The reply is valid until the next call.
  Expected<Reply> ask(std::string_view request);
  /// The time begins anew: for who asks many times.
  void go_on();

  /// Where the member is, for messages.
  [[nodiscard]] const std::string& address() const noexcept { return address_; }

 private:
  MemberConnection(std::string address, Descriptor socket, std::uint64_t deadline_ms,
                   std::uint64_t timeout_ms)
      : address_(std::move(address)),
        socket_(std::move(socket)),
        deadline_ms_(deadline_ms),
        timeout_ms_(timeout_ms) {}
  Expected<void> send(std::string_view packet);
  Expected<Reply> receive();
  Expected<void> wait_for(short event);

  std::string address_;
  Descriptor socket_;
  std::uint64_t deadline_ms_;
  std::uint64_t timeout_ms_;
  std::string received_;
};

}  // namespace lockstep::node
