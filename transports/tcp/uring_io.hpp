#pragma once

#include <liburing.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/doorbell.hpp"
#include "runtime/memory.hpp"
#include "transports/tcp/io.hpp"

namespace lockstep::transports::tcp {

/// io_uring (io_uring(7)): the sends of all links go to the kernel in one call, and one multishot
/// receive per link brings what arrives in buffers registered once (io_uring_register_buf_ring(3)).
/// The kernel says in shared memory whether it has anything for us, so an empty look costs no call.
///
/// At most one send per link is under way: a stream has an order.
class UringIo final : public Io {
 public:
  /// Errors: configuration when io_uring is forbidden or too old here; no_memory; system.
  static Expected<std::unique_ptr<UringIo>> create();
  ~UringIo() override;
  UringIo(const UringIo&) = delete;
  UringIo& operator=(const UringIo&) = delete;

  Expected<void> add(Link& link) override;
  void send(Link& link) noexcept override;
  void submit() noexcept override;
  void poll() noexcept override;
  void announce_sleep() noexcept override;
  void announce_awake() noexcept override;
  void remove(Link& link) noexcept override;
  [[nodiscard]] int descriptor() const noexcept override { return bell_.descriptor(); }

 private:
  /// What is under way for one link.
  struct Flow {
    Link* link;
    stream::OutboundStream::Pieces pieces;
    msghdr message;
    bool sends;
    bool receives;
  };

  UringIo() = default;
  Expected<void> set_up();
  Expected<void> provide_buffers();
  Expected<void> hang_bell();
  void give_back(std::uint16_t buffer) noexcept;
  /// Binds the ring to the calling thread, which from then on is the only one to use it.
  void enable() noexcept;
  /// Asks for what every link needs: a receive, and a send when there is something.
  void keep_going() noexcept;
  Flow* flow_of(const Link& link) noexcept;
  void start_receiving(Flow& flow) noexcept;
  void reap() noexcept;
  void sent(Flow& flow, int result) noexcept;
  void received(Flow& flow, int result, std::uint32_t flags) noexcept;

  [[nodiscard]] bool has_work() const noexcept;

  io_uring ring_{};
  /// Rung by the kernel when it has something for us and we sleep. The ring's own descriptor does
  /// not become readable when work is deferred to us (IORING_SETUP_DEFER_TASKRUN).
  runtime::Doorbell bell_;
  bool ready_ = false;
  bool enabled_ = false;
  bool asleep_ = false;
  runtime::SharedBlock buffers_;
  io_uring_buf_ring* free_buffers_ = nullptr;
  std::size_t free_buffers_bytes_ = 0;
  std::vector<std::unique_ptr<Flow>> flows_;
};

}  // namespace lockstep::transports::tcp
