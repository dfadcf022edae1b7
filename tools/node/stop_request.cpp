#include "tools/node/stop_request.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace lockstep::node {

Expected<void> StopRequest::open() {
  sigset_t stops;
  sigemptyset(&stops);
  sigaddset(&stops, SIGINT);
  sigaddset(&stops, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  signals_ = Descriptor(::signalfd(-1, &stops, SFD_NONBLOCK | SFD_CLOEXEC));
  if (signals_.get() >= 0) return {};
  return fail(ErrorCode::system, std::string("signalfd: ") + std::strerror(errno));
}

void StopRequest::accept() {
  signalfd_siginfo signal{};
  if (::read(signals_.get(), &signal, sizeof signal) != sizeof signal) return;
  const std::scoped_lock held(lock_);
  const bool again = made_.exchange(true);
  if (again || reactor_ == nullptr) end_now_(again);
  if (reactor_ != nullptr) reactor_->stop();
}

void StopRequest::wakes(Reactor* reactor) {
  const std::scoped_lock held(lock_);
  reactor_ = reactor;
}

}  // namespace lockstep::node
