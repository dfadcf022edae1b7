#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "runtime/endpoint.hpp"
#include "transports/hello/descriptor.hpp"

namespace lockstep::transports {

/// Stands between a dialler and a member, one connection at a time, and keeps what both say.
class Relay {
 public:
  /// Listens at `here`. What comes goes to `there`; with `there` empty it goes back where it came
  /// from.
  Relay(const std::string& here, const std::string& there) : there_(there) {
    const auto endpoint = runtime::parse_endpoint(here);
    listener_ = Descriptor(::socket(endpoint->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    listens_ = ::bind(listener_.get(), endpoint->generic(), endpoint->length) == 0 &&
               ::listen(listener_.get(), 16) == 0;
    thread_ = std::thread([this] { run(); });
  }
  ~Relay() { stop(); }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }

  [[nodiscard]] bool listens() const { return listens_; }
  /// What was said; to be asked for after `stop`.
  [[nodiscard]] const std::vector<std::byte>& of_dialler() const { return of_dialler_; }
  [[nodiscard]] const std::vector<std::byte>& of_member() const { return of_member_; }

 private:
  static bool readable(int socket) {
    pollfd waited{.fd = socket, .events = POLLIN, .revents = 0};
    return ::poll(&waited, 1, 5) == 1;
  }

  void run() {
    while (!stopping_) {
      if (!readable(listener_.get())) continue;
      const Descriptor dialler(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      Descriptor member;
      if (!there_.empty()) {
        const auto endpoint = runtime::parse_endpoint(there_);
        member = Descriptor(::socket(endpoint->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
        // Nobody there yet: the dialler is closed, and dials again.
        if (::connect(member.get(), endpoint->generic(), endpoint->length) != 0) continue;
      }
      carry(dialler, member);
    }
  }

  void carry(const Descriptor& dialler, const Descriptor& member) {
    bool open = true;
    while (open && !stopping_) {
      if (readable(dialler.get()))
        open = pass(dialler, member.open() ? member : dialler, of_dialler_);
      if (open && member.open() && readable(member.get())) open = pass(member, dialler, of_member_);
    }
  }

  static bool pass(const Descriptor& from, const Descriptor& to, std::vector<std::byte>& kept) {
    std::byte buffer[4096];
    const ssize_t got = ::recv(from.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    kept.insert(kept.end(), buffer, buffer + got);
    return ::send(to.get(), buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
  }

  std::string there_;
  Descriptor listener_;
  bool listens_ = false;
  std::atomic<bool> stopping_ = false;
  std::vector<std::byte> of_dialler_;
  std::vector<std::byte> of_member_;
  std::thread thread_;
};

}  // namespace lockstep::transports
