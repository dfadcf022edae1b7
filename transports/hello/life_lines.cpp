#include "transports/hello/life_lines.hpp"

#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "lockstep/config.hpp"
#include "runtime/assert.hpp"

namespace lockstep::transports {
namespace {

constexpr char kGoodBye = 'b';
/// Little, since an application may lock all of its memory; enough for what sanitizers add.
constexpr std::size_t kStackBytes = 256 * 1024;

/// Bare system calls: a number means another file in this thread's table than in the process's, and
/// what stands between (the thread sanitizer) believes that there is one table.
int close_all(unsigned first, unsigned last, unsigned flags) noexcept {
  return ::syscall(SYS_close_range, first, last, flags) == 0 ? 0 : errno;
}
void say_good_bye_on(int socket) noexcept {
  ::syscall(SYS_sendto, socket, &kGoodBye, sizeof kGoodBye, MSG_DONTWAIT | MSG_NOSIGNAL, nullptr,
            0);
}

/// A thread that owes nothing to the one that makes it: a reactor may be pinned, and may run at a
/// real-time priority.
int make_thread(pthread_t& thread, void* (*body)(void*), void* argument) noexcept {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  cpu_set_t any;
  std::memset(&any, 0xff, sizeof any);  // the kernel leaves out what is not allowed
  pthread_attr_setaffinity_np(&attributes, sizeof any, &any);
  pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(&thread, &attributes, body, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return error;
}

}  // namespace

LifeLines::LifeLines(std::vector<LifeLine> lines) : lines_(std::move(lines)) {
  LOCKSTEP_ASSERT(lines_.size() < kMaxMembers);
  for (const LifeLine& line : lines_) sockets_.push_back(line.socket.get());
}

Expected<std::unique_ptr<LifeLines>> LifeLines::hold(std::vector<LifeLine> lines) {
  std::unique_ptr<LifeLines> held(new LifeLines(std::move(lines)));
  for (runtime::Doorbell* const bell : {&held->bell_, &held->stop_}) {
    auto made = runtime::Doorbell::create();
    if (!made) return std::unexpected(made.error());
    *bell = std::move(*made);
  }
  const int error = held->start();
  if (error == 0) return held;
  held->notice_ = fmt::format(
      "peers learn late that this process was killed, once its memory is free: no thread with "
      "descriptors of its own: {}; it takes close_range(2) of Linux 5.9, also in a container's "
      "filter of system calls, and room under ulimit -u",
      std::strerror(error));
  return held;
}

int LifeLines::start() {
  kept_ = sockets_;
  kept_.insert(kept_.end(), {bell_.descriptor(), stop_.descriptor()});
  std::ranges::sort(kept_);
  if (const int error = make_thread(thread_, &LifeLines::run, this); error != 0) return error;
  pthread_setname_np(thread_, "lockstep-lines");
  stage_.wait(Stage::starting, std::memory_order_acquire);
  if (stage_.load(std::memory_order_acquire) == Stage::refused) {
    pthread_join(thread_, nullptr);
    return refusal_;
  }
  held_ = true;
  for (LifeLine& line : lines_) line.socket.reset();
  return 0;
}

LifeLines::~LifeLines() {
  if (held_) {
    stop_.ring();
    pthread_join(thread_, nullptr);
  } else {
    say_good_bye();
  }
}

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

int LifeLines::take_table() const noexcept {
  // Not unshare(2), which containers forbid by habit.
  const auto above = static_cast<unsigned>(kept_.back()) + 1;
  if (const int error = close_all(above, ~0U, CLOSE_RANGE_UNSHARE); error != 0) return error;
  unsigned next = 0;
  for (const int descriptor : kept_) {
    const auto number = static_cast<unsigned>(descriptor);
    if (number > next) close_all(next, number - 1, 0);
    next = number + 1;
  }
  return 0;
}

void LifeLines::watch() noexcept {
  std::array<pollfd, kMaxMembers> watched{};
  const std::size_t count = sockets_.size();
  while (true) {
    for (std::size_t i = 0; i < count; ++i) {
      watched[i] = {.fd = sockets_[i], .events = POLLIN, .revents = 0};
    }
    watched[count] = {.fd = stop_.descriptor(), .events = POLLIN, .revents = 0};
    ::syscall(SYS_ppoll, watched.data(), count + 1, nullptr, nullptr, 0);
    if (watched[count].revents != 0) return;
    for (std::size_t i = 0; i < count; ++i) {
      if (watched[i].revents != 0) hear(i);
    }
  }
}

void LifeLines::hear(std::size_t number) noexcept {
  int& socket = sockets_[number];
  char said = 0;
  const auto got =
      ::syscall(SYS_recvfrom, socket, &said, sizeof said, MSG_DONTWAIT, nullptr, nullptr);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  ::syscall(SYS_close, std::exchange(socket, -1));
  if (got != 0) return;
  // The bell first: whoever finds news forgets its rings.
  ended_.fetch_or(std::uint64_t{1} << lines_[number].link, std::memory_order_release);
  bell_.ring();
  news_.store(true, std::memory_order_release);
}

void LifeLines::say_good_bye() const noexcept {
  for (const int socket : sockets_) {
    if (socket >= 0) say_good_bye_on(socket);
  }
}

std::uint64_t LifeLines::take_news() noexcept {
  // An exchange reads the latest: if it takes back the word of a second end, that end's bit is seen
  // below.
  if (!news_.exchange(false, std::memory_order_acq_rel)) return 0;
  bell_.reset();
  return ended_.exchange(0, std::memory_order_acquire);
}

}  // namespace lockstep::transports
