#include "runtime/side_thread.hpp"

#include <sched.h>

#include <csignal>
#include <cstddef>
#include <cstring>

namespace lockstep::runtime {
namespace {

/// Little, since an application may lock all of its memory; enough for what sanitizers add.
constexpr std::size_t kStackBytes = 256 * 1024;

}  // namespace

int start_side_thread(pthread_t& thread, const char* name, void* (*body)(void*),
                      void* argument) noexcept {
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
  if (error == 0) pthread_setname_np(thread, name);
  return error;
}

}  // namespace lockstep::runtime
