#include <dlfcn.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "tests/processes/group_fixture.hpp"
#include "tools/launch/members.hpp"
#include "tools/launch/shared_array.hpp"

// Once the view is up, the loop neither allocates nor locks nor calls the system. Counted, not
// trusted: malloc and the mutex are replaced in this program, and a seccomp filter traps every
// system call of the measured stretch.

#ifndef LOCKSTEP_SANITIZED

namespace {
// Of the reactor's thread, which asks: the one that greets newcomers may do as it likes.
thread_local std::uint64_t allocations = 0;
thread_local std::uint64_t locks = 0;
std::atomic<std::uint64_t> system_calls{0};
std::atomic<int> last_system_call{-1};
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);

__attribute__((visibility("default"))) void* malloc(std::size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
__attribute__((visibility("default"))) void* calloc(std::size_t count, std::size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
__attribute__((visibility("default"))) void* realloc(void* memory, std::size_t bytes) {
  ++allocations;
  return __libc_realloc(memory, bytes);
}
__attribute__((visibility("default"))) int pthread_mutex_lock(pthread_mutex_t* mutex) {
  using Lock = int (*)(pthread_mutex_t*);
  static const Lock real = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  ++locks;
  return real(mutex);
}
}

namespace lockstep::test {
namespace {

void count_system_call(int /*signal*/, siginfo_t* info, void* /*context*/) {
  system_calls.fetch_add(1, std::memory_order_relaxed);
  last_system_call.store(info->si_syscall, std::memory_order_relaxed);
}

/// From here on every system call but the last is turned into SIGSYS and counted.
bool trap_system_calls() {
  struct sigaction action{};
  action.sa_sigaction = count_system_call;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSYS, &action, nullptr);
  std::array<sock_filter, 5> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

struct Counts {
  std::uint64_t applied, allocations, locks, system_calls;
  int last_system_call;
};

/// Publishes and turns until `applied` reaches `target`: the user's own loop, without idling.
void turn(Reactor& reactor, Group& group, Observer& observer, std::uint64_t target,
          std::uint64_t& to_publish) {
  while (observer.applied < target) {
    if (to_publish > 0) {
      if (const auto slot = group.claim(64)) {
        slot->publish(to_publish--);
      }
    }
    reactor.poll_once();
  }
}

int run_member(std::uint32_t rank, const std::string& name, Counts& counts,
               std::atomic_ref<std::uint64_t> done, bool misbehave) {
  constexpr std::uint64_t kWarmUp = 2'000;
  constexpr std::uint64_t kMeasured = 50'000;
  Reactor reactor({.idle = IdlePolicy::backoff});
  Observer observer;
  auto group = Group::join(reactor, group_of(2, rank, name), observer);
  if (!group) return 1;
  std::uint64_t to_publish = kWarmUp;
  turn(reactor, *group, observer, 2 * kWarmUp, to_publish);
  if (!trap_system_calls()) return 2;
  const Counts before{0, allocations, locks, system_calls, 0};
  to_publish = kMeasured;
  turn(reactor, *group, observer, 2 * (kWarmUp + kMeasured), to_publish);
  if (misbehave) {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    void* volatile memory = malloc(1);
    free(memory);
    sched_yield();
  }
  counts = {observer.applied, allocations - before.allocations, locks - before.locks,
            system_calls - before.system_calls, last_system_call};
  done.fetch_add(1);
  while (done.load() < 2) reactor.poll_once();
  _exit(0);  // destructors would call the system
}

void measure(bool misbehave, Counts (&counts)[2]) {
  auto shared = launch::SharedArray<Counts>::create(2);
  auto done = launch::SharedArray<std::uint64_t>::create(1);
  ASSERT_TRUE(shared && done);
  const std::string name = unique_name("hot");
  const auto ends =
      launch::run_members(2, launch::As::processes, 100 * kSecond, [&](std::uint32_t rank) {
        return run_member(rank, name, (*shared)[rank], std::atomic_ref((*done)[0]), misbehave);
      });
  ASSERT_TRUE(ends) << ends.error().message;
  for (const auto& end : *ends) ASSERT_TRUE(end.good()) << end.rank << ": " << end.words;
  for (int rank = 0; rank < 2; ++rank) counts[rank] = (*shared)[static_cast<std::size_t>(rank)];
}

TEST(HotPath, AllocatesNothingLocksNothingCallsNothing) {
  Counts counts[2];
  ASSERT_NO_FATAL_FAILURE(measure(false, counts));
  for (const Counts& count : counts) {
    EXPECT_EQ(count.applied, 104'000u);
    EXPECT_EQ(count.allocations, 0u);
    EXPECT_EQ(count.locks, 0u);
    EXPECT_EQ(count.system_calls, 0u) << "the last was number " << count.last_system_call;
  }
}

TEST(HotPath, TheCountersSeeWhatTheyAreFor) {
  Counts counts[2];
  ASSERT_NO_FATAL_FAILURE(measure(true, counts));
  for (const Counts& count : counts) {
    EXPECT_EQ(count.allocations, 1u);
    EXPECT_EQ(count.locks, 1u);
    EXPECT_EQ(count.system_calls, 1u);
    EXPECT_EQ(count.last_system_call, SYS_sched_yield);
  }
}

}  // namespace
}  // namespace lockstep::test

#endif
