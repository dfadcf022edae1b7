#include "tools/node/member_connection.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace lockstep::node {
namespace {

constexpr std::uint64_t kLongestWaitMs = 1'000'000;

std::uint64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

bool is_transient(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

Expected<MemberConnection> MemberConnection::connect(const Address& address,
                                                     std::uint64_t timeout_ms) {
  const std::uint64_t deadline_ms = now_ms() + timeout_ms;
  auto socket = connect_to(address, static_cast<int>(std::min(timeout_ms, kLongestWaitMs)));
  if (!socket) return std::unexpected(socket.error());
  return MemberConnection(address.text, std::move(*socket), deadline_ms, timeout_ms);
}

void MemberConnection::go_on() { deadline_ms_ = now_ms() + timeout_ms_; }

/// A member's own words come as an error.
Expected<Reply> MemberConnection::ask(std::string_view request) {
  if (auto sent = send(request); !sent) return std::unexpected(sent.error());
  auto reply = receive();
  if (!reply || reply->status != ReplyStatus::refused) return reply;
  return fail(ErrorCode::invalid_argument, std::string(reply->body));
}

Expected<void> MemberConnection::send(std::string_view packet) {
  while (!packet.empty()) {
    const ssize_t sent = ::send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      packet.remove_prefix(static_cast<std::size_t>(sent));
    } else if (!is_transient(errno)) {
      // Whoever closes a connection mostly says why before: that is read next.
      if (errno == EPIPE || errno == ECONNRESET) return {};
      return fail(ErrorCode::system, fmt::format("{}: {}", address_, std::strerror(errno)));
    } else if (auto ready = wait_for(POLLOUT); !ready) {
      return ready;
    }
  }
  return {};
}

Expected<Reply> MemberConnection::receive() {
  received_.clear();
  std::array<char, 16'384> some;
  for (;;) {
    const auto reply = decode_reply(as_bytes(received_));
    if (!reply) {
      return fail(reply.error().code, fmt::format("{}: {}", address_, reply.error().message));
    }
    if (reply->bytes > 0) return reply->packet;
    const ssize_t got = ::recv(socket_.get(), some.data(), some.size(), 0);
    if (got > 0) {
      received_.append(some.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || !is_transient(errno)) {
      return fail(ErrorCode::system,
                  fmt::format("{} closed the connection before it answered: what was asked for may "
                              "or may not have been applied",
                              address_));
    } else if (auto ready = wait_for(POLLIN); !ready) {
      return std::unexpected(ready.error());
    }
  }
}

Expected<void> MemberConnection::wait_for(short event) {
  pollfd wanted{.fd = socket_.get(), .events = event, .revents = 0};
  const std::uint64_t now = now_ms();
  const std::uint64_t left = deadline_ms_ > now ? deadline_ms_ - now : 0;
  if (left > 0) ::poll(&wanted, 1, static_cast<int>(std::min(left, kLongestWaitMs)));
  if (left > 0) return {};
  return fail(ErrorCode::timed_out,
              fmt::format("{} did not answer within {:.1f} s: what was asked for may or may not be "
                          "applied; has the group a quorum?",
                          address_, static_cast<double>(timeout_ms_) / 1e3));
}

}  // namespace lockstep::node
