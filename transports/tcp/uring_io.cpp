#include "transports/tcp/uring_io.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace lockstep::transports::tcp {
namespace {

/// Requests that can wait to be submitted: two per link and one to cancel, for 64 members.
constexpr unsigned kEntries = 256;
constexpr std::uint16_t kBuffers = 64;  // a power of two
constexpr std::size_t kBufferBytes = 32 * 1024;
constexpr std::uint16_t kBufferGroup = 0;

/// What a completion is about: the flow's address, and in its lowest bits which of its requests.
enum Request : std::uint64_t { kSend = 1, kReceive = 2, kMask = 3 };
constexpr std::uint64_t kCancel = 0;

}  // namespace

// ---- set-up ------------------------------------------------------------------------------------

Expected<std::unique_ptr<UringIo>> UringIo::create() {
  std::unique_ptr<UringIo> io(new UringIo);
  if (auto made = io->set_up(); !made) return std::unexpected(made.error());
  if (auto made = io->provide_buffers(); !made) return std::unexpected(made.error());
  if (auto made = io->hang_bell(); !made) return std::unexpected(made.error());
  return io;
}

Expected<void> UringIo::set_up() {
  io_uring_params parameters{};
  // Work is done when we ask for it, never by interrupting us, and a flag says when there is some.
  // The thread that enables the ring is the only one to use it: the reactor's.
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                     IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED;
  const int error = io_uring_queue_init_params(kEntries, &ring_, &parameters);
  if (error == 0) {
    ready_ = true;
    return {};
  }
  return fail(ErrorCode::configuration,
              fmt::format("io_uring cannot be used here: {} ({}); set group.tcp_io = \"sockets\"",
                          std::strerror(-error),
                          error == -EPERM || error == -ENOSYS
                              ? "forbidden by a seccomp filter, kernel.io_uring_disabled or the "
                                "kernel's configuration"
                              : "Linux 6.1 or newer is needed"));
}

Expected<void> UringIo::provide_buffers() {
  auto block = runtime::SharedBlock::create(
      kBuffers * kBufferBytes, {.huge_pages = HugePages::never, .purpose = "receive buffers"});
  if (!block) return std::unexpected(block.error());
  buffers_ = std::move(*block);
  free_buffers_bytes_ = kBuffers * sizeof(io_uring_buf);
  void* memory = ::mmap(nullptr, free_buffers_bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return fail(ErrorCode::no_memory, "no memory for the list of receive buffers");
  }
  free_buffers_ = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_ring_init(free_buffers_);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  registration.ring_entries = kBuffers;
  registration.bgid = kBufferGroup;
  if (const int error = io_uring_register_buf_ring(&ring_, &registration, 0); error != 0) {
    return fail(ErrorCode::configuration,
                fmt::format("io_uring takes no ring of receive buffers: {}; "
                            "set group.tcp_io = \"sockets\"",
                            std::strerror(-error)));
  }
  for (std::uint16_t buffer = 0; buffer < kBuffers; ++buffer) give_back(buffer);
  return {};
}

Expected<void> UringIo::hang_bell() {
  auto bell = runtime::Doorbell::create();
  if (!bell) return std::unexpected(bell.error());
  bell_ = std::move(*bell);
  if (const int error = io_uring_register_eventfd(&ring_, bell_.descriptor()); error != 0) {
    return fail(ErrorCode::system, fmt::format("io_uring takes no eventfd: {}; set group.tcp_io = "
                                               "\"sockets\"",
                                               std::strerror(-error)));
  }
  io_uring_cq_eventfd_toggle(&ring_, false);
  return {};
}

UringIo::~UringIo() {
  if (ready_) io_uring_queue_exit(&ring_);
  if (free_buffers_ != nullptr) ::munmap(free_buffers_, free_buffers_bytes_);
}

Expected<void> UringIo::add(Link& link) {
  auto& flow = flows_.emplace_back(std::make_unique<Flow>());
  *flow = {.link = &link, .pieces = {}, .message = {}, .sends = false, .receives = false};
  return {};
}

UringIo::Flow* UringIo::flow_of(const Link& link) noexcept {
  const auto found = std::ranges::find_if(
      flows_, [&](const std::unique_ptr<Flow>& flow) { return flow->link == &link; });
  return found == flows_.end() ? nullptr : found->get();
}

void UringIo::enable() noexcept {
  if (enabled_) return;
  enabled_ = true;
  // io_uring_enable_rings(3): Debian 12's liburing declares it and does not export it.
  ::syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
}

void UringIo::remove(Link& link) noexcept {
  Flow* const flow = flow_of(link);
  if (flow == nullptr) return;
  enable();
  // The kernel must have let go of the memory of both requests before it may go.
  for (int attempt = 0; attempt < 1'000 && (flow->sends || flow->receives); ++attempt) {
    if (io_uring_sqe* request = io_uring_get_sqe(&ring_); request != nullptr) {
      io_uring_prep_cancel_fd(request, link.socket.get(), IORING_ASYNC_CANCEL_ALL);
      io_uring_sqe_set_data64(request, kCancel);
    }
    io_uring_submit_and_wait(&ring_, 1);
    reap();
  }
  std::erase_if(flows_, [&](const std::unique_ptr<Flow>& one) { return one.get() == flow; });
}

// ---- sending and receiving
// -----------------------------------------------------------------------

void UringIo::send(Link& link) noexcept {
  Flow* const flow = flow_of(link);
  if (flow == nullptr || flow->sends || link.down || !link.has_output()) return;
  io_uring_sqe* const request = io_uring_get_sqe(&ring_);
  if (request == nullptr) return;  // all submitted with the next poll, which then goes on here
  flow->message.msg_iov = flow->pieces.data();
  flow->message.msg_iovlen = link.gather(flow->pieces);
  io_uring_prep_sendmsg(request, link.socket.get(), &flow->message, MSG_NOSIGNAL | MSG_WAITALL);
  io_uring_sqe_set_data64(request, reinterpret_cast<std::uintptr_t>(flow) | kSend);
  flow->sends = true;
}

void UringIo::start_receiving(Flow& flow) noexcept {
  io_uring_sqe* const request = io_uring_get_sqe(&ring_);
  if (request == nullptr) return;
  io_uring_prep_recv_multishot(request, flow.link->socket.get(), nullptr, 0, 0);
  request->flags |= IOSQE_BUFFER_SELECT;
  request->buf_group = kBufferGroup;
  io_uring_sqe_set_data64(request, reinterpret_cast<std::uintptr_t>(&flow) | kReceive);
  flow.receives = true;
}

void UringIo::submit() noexcept {
  enable();
  if (io_uring_sq_ready(&ring_) > 0) io_uring_submit(&ring_);
}

void UringIo::keep_going() noexcept {
  for (const auto& flow : flows_) {
    if (flow->link->down) continue;
    if (!flow->receives) start_receiving(*flow);
    send(*flow->link);
  }
}

void UringIo::announce_sleep() noexcept {
  keep_going();
  submit();
  asleep_ = true;
  io_uring_cq_eventfd_toggle(&ring_, true);
  // Either the kernel sees that it shall ring, or we see what it did before it could.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (has_work()) bell_.ring();
}

void UringIo::announce_awake() noexcept {
  asleep_ = false;
  io_uring_cq_eventfd_toggle(&ring_, false);
  bell_.reset();
}

bool UringIo::has_work() const noexcept {
  return io_uring_cq_ready(&ring_) > 0 ||
         (IO_URING_READ_ONCE(*ring_.sq.kflags) & IORING_SQ_TASKRUN) != 0;
}

void UringIo::poll() noexcept {
  enable();
  keep_going();
  if (has_work() || io_uring_sq_ready(&ring_) > 0) io_uring_submit_and_get_events(&ring_);
  reap();
  if (!asleep_) return;
  // A look between the announcement and the sleep: what it took rings no more, what came since
  // does.
  bell_.reset();
  if (has_work()) bell_.ring();
}

void UringIo::reap() noexcept {
  io_uring_cqe* completion = nullptr;
  unsigned head = 0;
  unsigned count = 0;
  io_uring_for_each_cqe(&ring_, head, completion) {
    ++count;
    const std::uint64_t data = io_uring_cqe_get_data64(completion);
    auto* const flow = reinterpret_cast<Flow*>(data & ~std::uint64_t{kMask});
    if (flow == nullptr) continue;
    if ((data & kMask) == kSend) {
      sent(*flow, completion->res);
    } else {
      received(*flow, completion->res, completion->flags);
    }
  }
  io_uring_cq_advance(&ring_, count);
}

void UringIo::sent(Flow& flow, int result) noexcept {
  flow.sends = false;
  Link& link = *flow.link;
  if (link.down) return;
  link.sent(result > 0 ? static_cast<std::size_t>(result) : 0);
  const bool again = result >= 0 || result == -EAGAIN || result == -EINTR;
  if (!again) link.end(-result);
}

void UringIo::received(Flow& flow, int result, std::uint32_t flags) noexcept {
  Link& link = *flow.link;
  if ((flags & IORING_CQE_F_MORE) == 0) flow.receives = false;
  if ((flags & IORING_CQE_F_BUFFER) != 0) {
    const auto buffer = static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
    if (result > 0 && !link.down) {
      link.feed({buffers_.data() + buffer * kBufferBytes, static_cast<std::size_t>(result)});
    }
    give_back(buffer);
  }
  if (link.down || result > 0) return;
  // Without a free buffer the receive ends, and is asked for again by the next poll.
  const bool again = result == -ENOBUFS || result == -EAGAIN || result == -EINTR;
  if (!again) link.end(-result);
}

void UringIo::give_back(std::uint16_t buffer) noexcept {
  io_uring_buf_ring_add(free_buffers_, buffers_.data() + buffer * kBufferBytes, kBufferBytes,
                        buffer, io_uring_buf_ring_mask(kBuffers), 0);
  io_uring_buf_ring_advance(free_buffers_, 1);
}

}  // namespace lockstep::transports::tcp
