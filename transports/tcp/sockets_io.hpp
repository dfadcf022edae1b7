#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "transports/tcp/io.hpp"

namespace lockstep::transports::tcp {

/// The plain calls: one sendmsg(2) per flush, one recv(2) per link and poll. For few links the
/// fastest way to spin, since an empty look costs one cheap call; and what there is where io_uring
/// is forbidden.
class SocketsIo final : public Io {
 public:
  /// Errors: system.
  static Expected<std::unique_ptr<SocketsIo>> create();

  Expected<void> add(Link& link) override;
  void send(Link& link) noexcept override;
  void poll() noexcept override;
  void announce_sleep() noexcept override;
  void remove(Link& link) noexcept override;
  [[nodiscard]] int descriptor() const noexcept override { return epoll_.get(); }

 private:
  struct Watched {
    Link* link;
    bool for_room;  ///< EPOLLOUT is armed, too
  };

  explicit SocketsIo(Descriptor epoll);
  void receive(Link& link) noexcept;
  /// One call's worth. False: there is no more for now.
  bool receive_some(Link& link, std::size_t& received) noexcept;
  bool receive_in_place(Link& link, std::span<std::byte> place, std::size_t& received) noexcept;
  void watch(Watched& watched, bool for_room) noexcept;

  Descriptor epoll_;  ///< of all sockets: what a sleeper waits on
  std::vector<Watched> watched_;
  std::unique_ptr<std::byte[]> buffer_;
};

}  // namespace lockstep::transports::tcp
