#include "transports/hello/tcp_place.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "transports/hello/authenticated_exchange.hpp"
#include "transports/hello/clear_exchange.hpp"
#include "transports/hello/tcp_conversation.hpp"

namespace lockstep::transports {
namespace {

constexpr int kBacklog = 128;

Expected<Descriptor> make_socket(const runtime::Endpoint& endpoint) {
  Descriptor socket(
      ::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (socket.open()) return socket;
  return fail(ErrorCode::system,
              fmt::format("cannot make a TCP socket: {}; raise the limit of open files "
                          "(ulimit -n) if it is reached",
                          std::strerror(errno)));
}

void set_option(const Descriptor& socket, int level, int option) {
  const int on = 1;
  ::setsockopt(socket.get(), level, option, &on, sizeof on);
}

}  // namespace

Expected<TcpPlace> TcpPlace::make(Options options) {
  for (const std::string& address : options.addresses) {
    if (address.empty()) continue;
    if (auto good = runtime::parse_endpoint(address); !good) return std::unexpected(good.error());
  }
  const auto mine = runtime::parse_endpoint(options.addresses[options.my_rank]);
  if (!mine) return std::unexpected(mine.error());
  return TcpPlace(std::move(options), *mine);
}

TcpPlace::TcpPlace(Options options, const runtime::Endpoint& mine)
    : options_(std::move(options)),
      mine_(mine),
      book_(options_.addresses, options_.my_rank, options_.version) {}

std::string TcpPlace::notice() const {
  if (options_.key != nullptr) return {};
  return "members are not authenticated: who reaches their ports can pose as one; set "
         "group.key_file";
}

std::unique_ptr<Conversation> TcpPlace::converse(Descriptor socket, Side side,
                                                 std::uint32_t welcomer_rank, std::string peer,
                                                 std::string host) const {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY);
  std::unique_ptr<HelloExchange> exchange;
  if (options_.key == nullptr) {
    exchange = std::make_unique<ClearExchange>();
  } else {
    exchange = std::make_unique<AuthenticatedExchange>(
        *options_.key, side,
        HandshakeTerms{.group = options_.group, .welcomer_rank = welcomer_rank});
  }
  return std::make_unique<TcpConversation>(std::move(socket), std::move(exchange), std::move(peer),
                                           std::move(host));
}

Expected<Descriptor> TcpPlace::listen() {
  auto socket = make_socket(mine_);
  if (!socket) return socket;
  // A port of connections that a predecessor left in TIME_WAIT is free; one listened on is not.
  set_option(*socket, SOL_SOCKET, SO_REUSEADDR);
  if (::bind(socket->get(), mine_.generic(), mine_.length) == 0 &&
      ::listen(socket->get(), kBacklog) == 0) {
    return socket;
  }
  const int error = errno;
  const char* remedy = "see group.addresses";
  if (error == EADDRINUSE) {
    remedy = "a process holds this port, perhaps this very member; end it, or choose another port";
  } else if (error == EADDRNOTAVAIL) {
    remedy = "the address is not one of this host; see group.addresses and group.self";
  } else if (error == EACCES) {
    remedy = "ports below 1024 need privileges; choose another port";
  }
  return fail(
      error == EADDRINUSE ? ErrorCode::identity_in_use : ErrorCode::system,
      fmt::format("cannot listen on {} (rank {}): {}; {}", options_.addresses[options_.my_rank],
                  options_.my_rank, std::strerror(error), remedy));
}

Expected<std::unique_ptr<Conversation>> TcpPlace::dial(std::uint32_t rank) {
  const std::string& address = book_.address(rank);
  const auto theirs = runtime::parse_endpoint(address);
  if (!theirs) return nullptr;  // not known, or of an interface that is not there now
  auto socket = make_socket(*theirs);
  if (!socket) {
    // What others say (an IPv6 address, to a host that has none) is no reason to give up.
    if (!book_.is_configured(rank, address)) return nullptr;
    return std::unexpected(socket.error());
  }
  if (::connect(socket->get(), theirs->generic(), theirs->length) != 0 && errno != EINPROGRESS) {
    return nullptr;  // no route, or nobody there: perhaps not yet
  }
  return converse(std::move(*socket), Side::dialler, rank, address, runtime::host_of(*theirs));
}

std::unique_ptr<Conversation> TcpPlace::accept(const Descriptor& listener) {
  runtime::Endpoint theirs{.length = sizeof theirs.address};
  Descriptor socket(::accept4(listener.get(), reinterpret_cast<sockaddr*>(&theirs.address),
                              &theirs.length, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.open()) return nullptr;
  const std::string host = runtime::host_of(theirs);
  return converse(std::move(socket), Side::welcomer, options_.my_rank, host, host);
}

}  // namespace lockstep::transports
