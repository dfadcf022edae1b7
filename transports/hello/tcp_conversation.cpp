#include "transports/hello/tcp_conversation.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "runtime/endpoint.hpp"

namespace lockstep::transports {

bool TcpConversation::say(std::span<const std::byte> packet, std::span<const int> /*descriptors*/) {
  exchange_->say(packet);
  queue_output();
  return send_rest() != Progress::broken;
}

Heard TcpConversation::hear() {
  queue_output();
  if (send_rest() == Progress::broken) return closed();
  while (!hello_) {
    const Progress progress = receive_up_to(exchange_->wanted());
    if (progress == Progress::broken) return closed();
    if (progress == Progress::later) return {};
    Heard heard = exchange_->hear(received_);
    received_.clear();
    queue_output();
    const bool gone = send_rest() == Progress::broken;
    if (heard.what == Heard::What::hello) {
      hello_ = std::move(heard.packet);
    } else if (heard.what != Heard::What::nothing) {
      return heard;
    }
    if (gone) return closed();
  }
  if (sending()) return {};
  return {.what = Heard::What::hello, .packet = *hello_};
}

Heard TcpConversation::closed() const {
  return {.what = Heard::What::closed, .reason = connected_ ? exchange_->closing_means() : ""};
}

std::string TcpConversation::host() const {
  runtime::Endpoint theirs{.length = sizeof theirs.address};
  auto* const address = reinterpret_cast<sockaddr*>(&theirs.address);
  const bool known = ::getpeername(socket_.get(), address, &theirs.length) == 0;
  return known ? runtime::host_of(theirs) : host_;
}

void TcpConversation::queue_output() {
  const auto output = exchange_->take_output();
  to_send_.insert(to_send_.end(), output.begin(), output.end());
}

TcpConversation::Progress TcpConversation::send_rest() {
  if (to_send_.empty()) return Progress::done;
  // A connection to a port of this host that nobody listens on may come to be with itself, when
  // the kernel picks that very port for our end.
  const ssize_t sent = talks_to_itself()
                           ? -1
                           : ::send(socket_.get(), to_send_.data(), to_send_.size(), MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR ? Progress::later : Progress::broken;
  connected_ = true;
  to_send_.erase(to_send_.begin(), to_send_.begin() + sent);
  return to_send_.empty() ? Progress::done : Progress::later;
}

TcpConversation::Progress TcpConversation::receive_up_to(std::size_t bytes) {
  if (received_.size() >= bytes) return Progress::done;
  const std::size_t had = received_.size();
  received_.resize(bytes);
  const ssize_t got = ::recv(socket_.get(), received_.data() + had, bytes - had, 0);
  received_.resize(had + (got > 0 ? static_cast<std::size_t>(got) : 0));
  connected_ |= got >= 0;
  if (got == 0) return Progress::broken;
  if (got < 0) {
    const bool later = errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
    return later ? Progress::later : Progress::broken;
  }
  return received_.size() == bytes ? Progress::done : Progress::later;
}

bool TcpConversation::talks_to_itself() const {
  sockaddr_storage mine{};
  sockaddr_storage theirs{};
  socklen_t mine_bytes = sizeof mine;
  socklen_t theirs_bytes = sizeof theirs;
  if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&mine), &mine_bytes) != 0) {
    return false;
  }
  if (::getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&theirs), &theirs_bytes) != 0) {
    return false;
  }
  const bool same = mine_bytes == theirs_bytes && std::memcmp(&mine, &theirs, mine_bytes) == 0;
  if (same) errno = ECONNREFUSED;
  return same;
}

}  // namespace lockstep::transports
