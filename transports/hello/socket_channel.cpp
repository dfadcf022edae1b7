#include "transports/hello/socket_channel.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/assert.hpp"

namespace lockstep::transports {
namespace {

static_assert(std::endian::native == std::endian::little);

/// ENOBUFS, ENOMEM: the kernel has no memory for it now.
bool later(int error) noexcept {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS ||
         error == ENOMEM;
}

}  // namespace

Expected<std::unique_ptr<SocketChannel>> SocketChannel::create(Descriptor socket,
                                                               std::size_t beside) {
  int type = 0;
  socklen_t bytes = sizeof type;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &bytes) != 0) {
    return fail(ErrorCode::system, fmt::format("cannot give state over descriptor {}: {}",
                                               socket.get(), std::strerror(errno)));
  }
  if (type != SOCK_STREAM && type != SOCK_SEQPACKET) {
    return fail(ErrorCode::not_supported,
                fmt::format("cannot give state over a socket of type {}: it takes SOCK_STREAM or "
                            "SOCK_SEQPACKET, which lose nothing and keep the order",
                            type));
  }
  // An acknowledgement must not wait until there is more to send. Unix sockets have no such option,
  // and do not wait.
  const int on = 1;
  if (type == SOCK_STREAM) {
    static_cast<void>(::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  }
  return std::unique_ptr<SocketChannel>(
      new SocketChannel(std::move(socket), type == SOCK_STREAM, kMostPacketBytes + beside));
}

SocketChannel::SocketChannel(Descriptor socket, bool stream, std::size_t most_bytes)
    : socket_(std::move(socket)),
      stream_(stream),
      most_bytes_(most_bytes),
      memory_(sizeof(Length) + most_bytes + sizeof(Length)) {
  to_send_.reserve(sizeof(Length) + most_bytes);
}

bool SocketChannel::send(std::span<const std::byte> packet) noexcept {
  LOCKSTEP_ASSERT(!packet.empty());
  LOCKSTEP_ASSERT(packet.size() <= most_bytes_);
  if (!flush() || mute_ || ended_) return false;
  auto length = static_cast<Length>(packet.size());
  std::array<iovec, 2> pieces{iovec{&length, sizeof length},
                              iovec{const_cast<std::byte*>(packet.data()), packet.size()}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  const ssize_t result = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (result <= 0) {
    mute_ = result < 0 && !later(errno);
    return false;
  }
  // Only a stream takes a part.
  auto taken = static_cast<std::size_t>(result);
  if (taken == sizeof length + packet.size()) return true;
  to_send_.clear();
  sent_ = 0;
  if (taken < sizeof length) {
    const auto* rest = reinterpret_cast<const std::byte*>(&length);
    to_send_.insert(to_send_.end(), rest + taken, rest + sizeof length);
    taken = sizeof length;
  }
  const auto rest = packet.subspan(taken - sizeof length);
  to_send_.insert(to_send_.end(), rest.begin(), rest.end());
  return true;
}

bool SocketChannel::flush() noexcept {
  if (!sending()) return true;
  if (mute_ || ended_) return false;
  const ssize_t result = ::send(socket_.get(), to_send_.data() + sent_, to_send_.size() - sent_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
  if (result < 0) {
    mute_ = !later(errno);
    return false;
  }
  sent_ += static_cast<std::size_t>(result);
  return !sending();
}

std::span<const std::byte> SocketChannel::receive() noexcept {
  if (ended_) return {};
  flush();
  return stream_ ? receive_from_stream() : receive_packet();
}

std::span<const std::byte> SocketChannel::receive_from_stream() noexcept {
  // What came behind the frame given last: at most a length.
  if (given_ > 0) {
    std::memmove(memory_.data(), memory_.data() + given_, received_ - given_);
    received_ -= std::exchange(given_, 0);
  }
  if (!read_up_to(sizeof(Length))) return {};
  if (length() == 0 || length() > most_bytes_) {
    ended_ = true;
    return {};
  }
  const std::size_t frame = sizeof(Length) + length();
  if (received_ < frame && !read_up_to(frame + sizeof(Length)) && received_ < frame) return {};
  given_ = frame;
  return std::span(memory_).subspan(sizeof(Length), frame - sizeof(Length));
}

bool SocketChannel::read_up_to(std::size_t bytes) noexcept {
  if (received_ >= bytes) return true;
  const ssize_t result =
      ::recv(socket_.get(), memory_.data() + received_, bytes - received_, MSG_DONTWAIT);
  if (result <= 0) {
    nothing_read(result);
    return false;
  }
  received_ += static_cast<std::size_t>(result);
  return received_ >= bytes;
}

std::span<const std::byte> SocketChannel::receive_packet() noexcept {
  // With MSG_TRUNC the kernel says how long the packet was, however much of it there is room for.
  const ssize_t result =
      ::recv(socket_.get(), memory_.data(), memory_.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (result <= 0) {
    nothing_read(result);
    return {};
  }
  const auto bytes = static_cast<std::size_t>(result);
  received_ = bytes;
  if (bytes <= sizeof(Length) || bytes > sizeof(Length) + most_bytes_ ||
      length() != bytes - sizeof(Length)) {
    ended_ = true;
    return {};
  }
  return std::span(memory_).subspan(sizeof(Length), length());
}

void SocketChannel::nothing_read(std::ptrdiff_t result) noexcept {
  const bool nothing_now = result < 0 && later(errno);
  ended_ = !nothing_now || mute_;
}

SocketChannel::Length SocketChannel::length() const noexcept {
  Length length = 0;
  std::memcpy(&length, memory_.data(), sizeof length);
  return length;
}

}  // namespace lockstep::transports
