#include "transports/hello/life_lines.hpp"

#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/side_thread.hpp"

namespace lockstep::transports {
namespace {

constexpr char kGoodBye = 'b';

/// Bare system calls: a number means another file in this thread's table than in the process's, and
/// what stands between (the thread sanitizer) believes that there is one table.
int close_all(unsigned first, unsigned last, unsigned flags) noexcept {
  return ::syscall(SYS_close_range, first, last, flags) == 0 ? 0 : errno;
}
void say_good_bye_on(int socket) noexcept {
  ::syscall(SYS_sendto, socket, &kGoodBye, sizeof kGoodBye, MSG_DONTWAIT | MSG_NOSIGNAL, nullptr,
            0);
}

}  // namespace

Expected<std::unique_ptr<LifeLines>> LifeLines::hold() {
  std::unique_ptr<LifeLines> held(new LifeLines);
  for (runtime::Doorbell* const bell : {&held->bell_, &held->stop_}) {
    auto made = runtime::Doorbell::create();
    if (!made) return std::unexpected(made.error());
    *bell = std::move(*made);
  }
  if (auto made = held->make_orders(); !made) return std::unexpected(made.error());
  const int error = held->start();
  if (error == 0) return held;
  held->notice_ = fmt::format(
      "peers learn late that this process was killed, once its memory is free: no thread with "
      "descriptors of its own: {}; it takes close_range(2) of Linux 5.9, also in a container's "
      "filter of system calls, and room under ulimit -u",
      std::strerror(error));
  return held;
}

Expected<void> LifeLines::make_orders() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return fail(ErrorCode::system,
                fmt::format("cannot make a pair of sockets: {}; raise the limit of open files "
                            "(ulimit -n) if it is reached",
                            std::strerror(errno)));
  }
  orders_out_ = Descriptor(ends[0]);
  orders_in_ = Descriptor(ends[1]);
  return {};
}

int LifeLines::start() {
  if (const int error =
          runtime::start_side_thread(thread_, "lockstep-lines", &LifeLines::run, this);
      error != 0)
    return error;
  stage_.wait(Stage::starting, std::memory_order_acquire);
  if (stage_.load(std::memory_order_acquire) == Stage::refused) {
    pthread_join(thread_, nullptr);
    return refusal_;
  }
  held_ = true;
  return 0;
}

LifeLines::~LifeLines() {
  if (held_) {
    stop_.ring();
    pthread_join(thread_, nullptr);
  }
  for (const Descriptor& line : kept_) {
    if (line.open()) say_good_bye_on(line.get());
  }
}

// ---- the reactor's side ------------------------------------------------------------------------

void LifeLines::add(LifeLine line) noexcept {
  current_[line.link] = ++generations_;
  // A line that the thread cannot be given tells nothing, and lives as long as this.
  if (!held_ || !send_order(line.link, line.socket.get())) {
    kept_[line.link] = std::move(line.socket);
  }
}

void LifeLines::drop(LinkId link) noexcept {
  current_[link] = 0;
  if (kept_[link].open()) say_good_bye_on(kept_[link].get());
  kept_[link].reset();
  if (held_) send_order(link, -1);
}

bool LifeLines::send_order(LinkId link, int socket) noexcept {
  Order order{.link = link, .generation = current_[link]};
  iovec body{.iov_base = &order, .iov_len = sizeof order};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  if (socket >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &socket, sizeof socket);
  }
  return ::sendmsg(orders_out_.get(), &message, MSG_NOSIGNAL) == sizeof order;
}

std::uint64_t LifeLines::take_news() noexcept {
  // An exchange reads the latest: if it takes back the word of a second end, that end's bit is seen
  // below.
  if (!news_.exchange(false, std::memory_order_acq_rel)) return 0;
  bell_.reset();
  const std::uint64_t links = ended_links_.exchange(0, std::memory_order_acquire);
  std::uint64_t dead = 0;
  for (LinkId link = 0; link < current_.size(); ++link) {
    const bool ended = ((links >> link) & 1U) != 0;
    const bool counts = ended && ended_[link].load(std::memory_order_relaxed) == current_[link];
    if (counts && current_[link] != 0) dead |= std::uint64_t{1} << link;
  }
  return dead;
}

// ---- the thread's side -------------------------------------------------------------------------

void* LifeLines::run(void* self) {
  auto& lines = *static_cast<LifeLines*>(self);
  lines.refusal_ = lines.take_table();
  const bool refused = lines.refusal_ != 0;
  lines.stage_.store(refused ? Stage::refused : Stage::holding, std::memory_order_release);
  lines.stage_.notify_one();
  if (refused) return nullptr;
  lines.watch();
  lines.say_good_bye();
  // Who joins a thread does not wait for the end of its table.
  close_all(0, ~0U, 0);
  return nullptr;
}

int LifeLines::take_table() noexcept {
  std::array<int, 3> wanted{bell_.descriptor(), stop_.descriptor(), orders_in_.get()};
  std::ranges::sort(wanted);
  // Not unshare(2), which containers forbid by habit.
  const auto above = static_cast<unsigned>(wanted.back()) + 1;
  if (const int error = close_all(above, ~0U, CLOSE_RANGE_UNSHARE); error != 0) return error;
  unsigned next = 0;
  for (const int descriptor : wanted) {
    const auto number = static_cast<unsigned>(descriptor);
    if (number > next) close_all(next, number - 1, 0);
    next = number + 1;
  }
  return 0;
}

void LifeLines::watch() noexcept {
  std::array<pollfd, kMaxMembers + 2> watched{};
  while (true) {
    // Negative ones are passed over.
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      watched[i] = {.fd = lines_[i].socket, .events = POLLIN, .revents = 0};
    }
    watched[kMaxMembers] = {.fd = stop_.descriptor(), .events = POLLIN, .revents = 0};
    watched[kMaxMembers + 1] = {.fd = orders_in_.get(), .events = POLLIN, .revents = 0};
    ::syscall(SYS_ppoll, watched.data(), watched.size(), nullptr, nullptr, 0);
    if (watched[kMaxMembers].revents != 0) return;
    for (LinkId link = 0; link < lines_.size(); ++link) {
      if (watched[link].revents != 0) hear(link);
    }
    // After the lines: an order may give a number to another one.
    while (take_order()) {
    }
  }
}

bool LifeLines::take_order() noexcept {
  Order order{};
  iovec body{.iov_base = &order, .iov_len = sizeof order};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::syscall(SYS_recvmsg, orders_in_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
      sizeof order) {
    return false;
  }
  close_line(order.link);
  Line& line = lines_[order.link];
  line = {.socket = -1, .generation = order.generation};
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr) std::memcpy(&line.socket, CMSG_DATA(header), sizeof line.socket);
  return true;
}

void LifeLines::hear(LinkId link) noexcept {
  Line& line = lines_[link];
  char said = 0;
  const auto got =
      ::syscall(SYS_recvfrom, line.socket, &said, sizeof said, MSG_DONTWAIT, nullptr, nullptr);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  ::syscall(SYS_close, std::exchange(line.socket, -1));
  if (got != 0) return;
  ended_[link].store(line.generation, std::memory_order_relaxed);
  // The bell first: whoever finds news forgets its rings.
  ended_links_.fetch_or(std::uint64_t{1} << link, std::memory_order_release);
  bell_.ring();
  news_.store(true, std::memory_order_release);
}

void LifeLines::close_line(LinkId link) noexcept {
  const int socket = std::exchange(lines_[link].socket, -1);
  if (socket < 0) return;
  say_good_bye_on(socket);
  ::syscall(SYS_close, socket);
}

void LifeLines::say_good_bye() noexcept {
  // What is still on its way here counts, too.
  while (take_order()) {
  }
  for (LinkId link = 0; link < lines_.size(); ++link) close_line(link);
}

}  // namespace lockstep::transports
