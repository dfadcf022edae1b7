#include "tools/node/client_connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace lockstep::node {
namespace {

bool is_transient(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

bool ClientConnection::receive() {
  std::array<char, 16'384> some;
  while (unread_.size() < kMostPacketBytes) {
    const std::size_t room = std::min(some.size(), kMostPacketBytes - unread_.size());
    const ssize_t got = ::recv(socket_.get(), some.data(), room, 0);
    if (got < 0) return is_transient(errno);
    if (got == 0) return false;
    unread_.append(some.data(), static_cast<std::size_t>(got));
  }
  return true;
}

void ClientConnection::answer(std::size_t request_bytes, const std::string& packet) {
  unread_.erase(0, request_bytes);
  token_ = 0;
  unsent_ = packet;
  written_ = 0;
}

void ClientConnection::end_with(const std::string& packet) {
  answer(unread_.size(), packet);
  ending_ = true;
}

bool ClientConnection::send() {
  while (wants_to_write()) {
    const ssize_t sent =
        ::send(socket_.get(), unsent_.data() + written_, unsent_.size() - written_, MSG_NOSIGNAL);
    if (sent < 0) return is_transient(errno);
    written_ += static_cast<std::size_t>(sent);
  }
  unsent_.clear();
  written_ = 0;
  return !ending_;
}

}  // namespace lockstep::node
