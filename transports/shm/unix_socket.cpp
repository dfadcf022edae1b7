#include "transports/shm/unix_socket.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

namespace lockstep::transports {

namespace unix_socket {
namespace {

constexpr std::size_t kMaxDescriptors = 4;
constexpr int kBacklog = 128;

struct Address {
  sockaddr_un address{};
  socklen_t length = 0;
};

Address abstract_address(const std::string& name) {
  Address result;
  result.address.sun_family = AF_UNIX;
  // The first byte of the path is zero: an abstract name, as long as the address says.
  const std::size_t bytes = std::min(name.size(), sizeof(result.address.sun_path) - 1);
  std::memcpy(result.address.sun_path + 1, name.data(), bytes);
  result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + bytes);
  return result;
}

Expected<Descriptor> make_socket() {
  Descriptor descriptor(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (descriptor.get() < 0) {
    return fail(ErrorCode::system,
                fmt::format("cannot make a unix socket: {}; raise the limit of open files "
                            "(ulimit -n) if it is reached",
                            std::strerror(errno)));
  }
  return descriptor;
}

bool same_user(int socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return false;
  return credentials.uid == geteuid();
}

}  // namespace

Expected<Descriptor> listen(const std::string& name) {
  auto descriptor = make_socket();
  if (!descriptor) return descriptor;
  const Address address = abstract_address(name);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address.address);
  if (bind(descriptor->get(), generic, address.length) != 0) {
    const int error = errno;
    return fail(
        error == EADDRINUSE ? ErrorCode::identity_in_use : ErrorCode::system,
        fmt::format("cannot listen on the abstract socket '{}': {}", name, std::strerror(error)));
  }
  if (::listen(descriptor->get(), kBacklog) != 0) {
    return fail(ErrorCode::system, fmt::format("cannot listen on the abstract socket '{}': {}",
                                               name, std::strerror(errno)));
  }
  return descriptor;
}

Expected<Descriptor> connect(const std::string& name) {
  auto descriptor = make_socket();
  if (!descriptor) return descriptor;
  const Address address = abstract_address(name);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address.address);
  if (::connect(descriptor->get(), generic, address.length) == 0) {
    if (same_user(descriptor->get())) return descriptor;
    return fail(ErrorCode::mismatch,
                fmt::format("the abstract socket '{}' belongs to another user; choose another "
                            "group name",
                            name));
  }
  if (errno == ECONNREFUSED || errno == EAGAIN || errno == EINTR) return Descriptor();
  return fail(ErrorCode::system, fmt::format("cannot connect to the abstract socket '{}': {}", name,
                                             std::strerror(errno)));
}

Descriptor accept(const Descriptor& listener) {
  Descriptor connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection.get() >= 0 && !same_user(connection.get())) return Descriptor();
  return connection;
}

bool send(const Descriptor& socket, std::span<const std::byte> packet,
          std::span<const int> descriptors) {
  iovec piece{const_cast<std::byte*>(packet.data()), packet.size()};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)]{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  return sendmsg(socket.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(packet.size());
}

Received receive(const Descriptor& socket, std::span<std::byte> buffer) {
  iovec piece{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)]{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  Received result;
  const ssize_t got = recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  if (got < 0) {
    const bool later = errno == EAGAIN || errno == EINTR;
    result.what = later ? Receive::nothing : Receive::closed;
    return result;
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count && result.descriptor_count < kMaxDescriptors; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
      result.descriptors[result.descriptor_count++] = Descriptor(descriptor);
    }
  }
  result.what = got == 0 ? Receive::closed : Receive::packet;
  result.bytes = static_cast<std::size_t>(got);
  return result;
}

pid_t peer_pid(const Descriptor& socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return 0;
  return credentials.pid;
}

}  // namespace unix_socket
}  // namespace lockstep::transports
