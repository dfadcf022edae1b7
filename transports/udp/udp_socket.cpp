#include "transports/udp/udp_socket.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lockstep::transports {
namespace {

/// Of a message that is cut: what one IP packet could hold.
constexpr std::size_t kMostCut = 65'000;

/// The kernel before 4.18.
bool cannot_cut(int error) { return error == EINVAL || error == ENOPROTOOPT; }
/// The way to one peer: without checksums, or it does not take packets of this length whole.
bool cannot_cut_there(int error) { return error == EIO || error == EMSGSIZE; }

/// More than a packet may have, so that a longer one shows.
constexpr std::size_t kOneMore = 8;

std::size_t granted(int socket, int forced, int plain, std::size_t wanted) {
  const int bytes = static_cast<int>(wanted);
  if (::setsockopt(socket, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0) {
    ::setsockopt(socket, SOL_SOCKET, plain, &bytes, sizeof bytes);
  }
  int got = 0;
  socklen_t length = sizeof got;
  ::getsockopt(socket, SOL_SOCKET, plain, &got, &length);
  return static_cast<std::size_t>(got);
}

}  // namespace

UdpSocket::UdpSocket(Descriptor socket, std::size_t packet_bytes)
    : socket_(std::move(socket)),
      packet_bytes_(packet_bytes + kOneMore),
      buffer_(std::make_unique<std::byte[]>(kBatch * packet_bytes_)) {
  for (std::size_t i = 0; i < kBatch; ++i) {
    in_pieces_[i] = {buffer_.get() + i * packet_bytes_, packet_bytes_};
    in_[i].msg_hdr.msg_iov = &in_pieces_[i];
    in_[i].msg_hdr.msg_iovlen = 1;
  }
}

Expected<std::unique_ptr<UdpSocket>> UdpSocket::open(const runtime::Endpoint& mine,
                                                     std::size_t packet_bytes,
                                                     std::size_t wanted_bytes, Notices& notices) {
  Descriptor socket(::socket(mine.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.open()) {
    return fail(ErrorCode::system, fmt::format("cannot make a UDP socket: {}; raise the limit of "
                                               "open files (ulimit -n) if it is reached",
                                               std::strerror(errno)));
  }
  runtime::Endpoint bound = mine;
  if (::bind(socket.get(), bound.generic(), bound.length) != 0 && errno == EADDRINUSE) {
    runtime::set_port(bound, 0);
    notices.add(fmt::format("UDP port {} is taken; using another, which a firewall may not know",
                            runtime::port_of(mine)));
    if (::bind(socket.get(), bound.generic(), bound.length) == 0) errno = 0;
  }
  bound.length = sizeof bound.address;
  const int named =
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound.address), &bound.length);
  if (named != 0 || runtime::port_of(bound) == 0) {
    return fail(ErrorCode::system, fmt::format("cannot bind a UDP socket to {}: {}; see "
                                               "group.addresses and group.self",
                                               runtime::to_text(mine), std::strerror(errno)));
  }
  std::unique_ptr<UdpSocket> made(new UdpSocket(std::move(socket), packet_bytes));
  made->port_ = runtime::port_of(bound);
  const int number = made->descriptor();
  made->held_bytes_ = granted(number, SO_RCVBUFFORCE, SO_RCVBUF, wanted_bytes);
  made->sends_bytes_ = granted(number, SO_SNDBUFFORCE, SO_SNDBUF, wanted_bytes);
  return made;
}

void UdpSocket::collect(std::span<const std::byte> packet, const runtime::Endpoint& to) noexcept {
  if (collected_ == kBatch) submit();
  out_pieces_[collected_] = {const_cast<std::byte*>(packet.data()), packet.size()};
  out_to_[collected_] = &to;
  ++collected_;
}

std::size_t UdpSocket::alike(std::size_t first) const noexcept {
  if (!cuts_ || first < one_by_one_until_) return 1;
  const std::size_t size = out_pieces_[first].iov_len;
  std::size_t bytes = size;
  std::size_t count = 1;
  // The last may be shorter.
  for (; first + count < collected_ && out_pieces_[first + count - 1].iov_len == size; ++count) {
    const std::size_t next = out_pieces_[first + count].iov_len;
    if (out_to_[first + count] != out_to_[first] || next > size) break;
    bytes += next;
    if (bytes > kMostCut) break;
  }
  return count;
}

std::size_t UdpSocket::make_messages(std::size_t first) noexcept {
  std::size_t messages = 0;
  for (std::size_t count = 0; first < collected_; first += count) {
    count = alike(first);
    msghdr& head = out_[messages].msg_hdr;
    head.msg_name = const_cast<sockaddr*>(out_to_[first]->generic());
    head.msg_namelen = out_to_[first]->length;
    head.msg_iov = &out_pieces_[first];
    head.msg_iovlen = count;
    head.msg_control = nullptr;
    head.msg_controllen = 0;
    if (count > 1) {
      head.msg_control = cuts_of_[messages].bytes.data();
      head.msg_controllen = cuts_of_[messages].bytes.size();
      cmsghdr* const cut = CMSG_FIRSTHDR(&head);
      cut->cmsg_level = SOL_UDP;
      cut->cmsg_type = UDP_SEGMENT;
      cut->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
      const auto size = static_cast<std::uint16_t>(out_pieces_[first].iov_len);
      std::memcpy(CMSG_DATA(cut), &size, sizeof size);
    }
    ++messages;
  }
  return messages;
}

void UdpSocket::submit() noexcept {
  one_by_one_until_ = 0;
  for (std::size_t sent = 0; sent < collected_;) {
    const std::size_t messages = make_messages(sent);
    const int took =
        ::sendmmsg(socket_.get(), out_.data(), static_cast<unsigned>(messages), MSG_NOSIGNAL);
    if (took <= 0 && errno == EINTR) continue;
    const std::size_t in_first = out_[0].msg_hdr.msg_iovlen;
    if (took <= 0 && in_first > 1 && (cannot_cut(errno) || cannot_cut_there(errno))) {
      if (cannot_cut(errno)) cuts_ = false;
      one_by_one_until_ = sent + in_first;
      continue;
    }
    // The first of them was refused (no route, no room, a rule of the firewall): that one is lost.
    for (int i = 0; i < std::max(took, 1); ++i) {
      sent += out_[static_cast<std::size_t>(i)].msg_hdr.msg_iovlen;
    }
  }
  collected_ = 0;
}

std::size_t UdpSocket::receive() noexcept {
  if (!came_in_numbers_) {
    const ssize_t got = ::recv(socket_.get(), buffer_.get(), packet_bytes_, 0);
    if (got < 0) return 0;
    in_[0].msg_len = static_cast<unsigned>(got);
    came_in_numbers_ = true;
    return 1;
  }
  const int got = ::recvmmsg(socket_.get(), in_.data(), kBatch, 0, nullptr);
  came_in_numbers_ = got > 1;
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

}  // namespace lockstep::transports
