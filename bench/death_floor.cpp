#include "bench/death_floor.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "tools/launch/shared_array.hpp"
#include "transports/hello/descriptor.hpp"

namespace lockstep::bench {
namespace {

constexpr std::uint64_t kMib = 1 << 20;
constexpr std::uint64_t kPageBytes = 4'096;
constexpr std::uint64_t kTimeoutNs = 30'000'000'000;

struct Watched {
  pthread_mutex_t life;
  std::uint64_t ready;
};

bool make_robust(pthread_mutex_t& mutex) {
  pthread_mutexattr_t attributes;
  if (pthread_mutexattr_init(&attributes) != 0) return false;
  const bool made = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
                    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
                    pthread_mutex_init(&mutex, &attributes) == 0;
  pthread_mutexattr_destroy(&attributes);
  return made;
}

[[noreturn]] void wait_to_be_killed(Watched& watched, std::uint64_t resident_mib) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto memory = ResidentMemory::touch(resident_mib);
  if (!memory) _exit(1);
  if (pthread_mutex_lock(&watched.life) != 0) _exit(1);
  std::atomic_ref(watched.ready).store(1, std::memory_order_release);
  for (;;) pause();
}

bool is_dead(Watched& watched, int socket, bool by_mutex) {
  if (by_mutex) return pthread_mutex_trylock(&watched.life) == EOWNERDEAD;
  char byte = 0;
  return recv(socket, &byte, 1, MSG_DONTWAIT) == 0;
}

}  // namespace

Expected<ResidentMemory> ResidentMemory::touch(std::uint64_t mib) {
  if (mib == 0) return ResidentMemory({});
  void* memory =
      mmap(nullptr, mib * kMib, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return fail(ErrorCode::no_memory,
                fmt::format("--resident-mib {}: cannot map them: {}", mib, std::strerror(errno)));
  }
  const std::span bytes(static_cast<std::byte*>(memory), mib * kMib);
  madvise(memory, bytes.size(), MADV_NOHUGEPAGE);
  for (std::size_t at = 0; at < bytes.size(); at += kPageBytes) bytes[at] = std::byte{1};
  return ResidentMemory(bytes);
}

ResidentMemory::~ResidentMemory() {
  if (!memory_.empty()) munmap(memory_.data(), memory_.size());
}

Expected<std::uint64_t> time_a_death(const runtime::TscClock& clock, const std::string& transport,
                                     std::uint64_t resident_mib) {
  auto watched = launch::SharedArray<Watched>::create(1);
  if (!watched) return std::unexpected(watched.error());
  int ends[2];
  if (!make_robust((*watched)[0].life) || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
    return fail(ErrorCode::system, fmt::format("cannot watch a process: {}", std::strerror(errno)));
  }
  const transports::Descriptor mine(ends[0]);
  transports::Descriptor theirs(ends[1]);
  const pid_t child = fork();
  if (child < 0) {
    return fail(ErrorCode::system, fmt::format("cannot fork: {}", std::strerror(errno)));
  }
  if (child == 0) {
    close(mine.get());
    wait_to_be_killed((*watched)[0], resident_mib);
  }
  theirs = transports::Descriptor();
  const std::uint64_t deadline_ns = clock.now_ns() + kTimeoutNs;
  const auto in_time = [&] { return clock.now_ns() < deadline_ns; };
  while (std::atomic_ref((*watched)[0].ready).load(std::memory_order_acquire) == 0 && in_time()) {
    if (waitpid(child, nullptr, WNOHANG) == child) {
      return fail(
          ErrorCode::no_memory,
          fmt::format("--resident-mib {}: a process of that size ended before it was killed",
                      resident_mib));
    }
    usleep(1'000);
  }
  const bool by_mutex = transport == "auto" || transport == "shm";
  const std::uint64_t killed_ns = clock.now_ns();
  kill(child, SIGKILL);
  while (!is_dead((*watched)[0], mine.get(), by_mutex) && in_time()) {
  }
  const std::uint64_t seen_ns = clock.now_ns();
  waitpid(child, nullptr, 0);
  if (seen_ns >= deadline_ns) {
    return fail(ErrorCode::timed_out,
                fmt::format("nothing told within {} s that a process had been "
                            "killed",
                            kTimeoutNs / 1'000'000'000));
  }
  return seen_ns - killed_ns;
}

}  // namespace lockstep::bench
