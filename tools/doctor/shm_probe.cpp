#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tools/doctor/system_probes.hpp"
#include "tools/node/descriptor.hpp"

namespace lockstep::doctor {
namespace {

using node::Descriptor;

constexpr std::size_t kBytes = 1 << 20;

Trial failed(const char* step, int error) {
  Trial trial{.works = false,
              .found = fmt::format("{}: {}", step, std::strerror(error)),
              .mend = "docker run --security-opt seccomp=PROFILE   # one that allows that call"};
  if (error == ENOMEM)
    trial.mend = "free -m   # then raise the cgroup's limit: docker update -m 2g";
  if (error == EMFILE || error == ENFILE) trial.mend = "ulimit -n 4096";
  return trial;
}

/// Shared memory in a sealed memfd, unmapped at the end.
class SharedMemory {
 public:
  explicit SharedMemory(int descriptor)
      : start_(::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)) {}
  ~SharedMemory() {
    if (is_mapped()) ::munmap(start_, kBytes);
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  [[nodiscard]] bool is_mapped() const { return start_ != MAP_FAILED; }
  [[nodiscard]] void* start() const { return start_; }

 private:
  void* start_;
};

void* lock_and_die(void* mutex) {
  ::pthread_mutex_lock(static_cast<pthread_mutex_t*>(mutex));
  return nullptr;
}

/// Whether the end of a thread that holds a robust mutex is noticed: how a member's death is. 0, or
/// what failed.
int try_robust_mutex(void* memory) {
  auto* mutex = static_cast<pthread_mutex_t*>(memory);
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  int error = ::pthread_mutex_init(mutex, &attributes);
  ::pthread_mutexattr_destroy(&attributes);
  pthread_t holder{};
  if (error == 0) error = ::pthread_create(&holder, nullptr, lock_and_die, mutex);
  if (error != 0) return error;
  ::pthread_join(holder, nullptr);
  error = ::pthread_mutex_trylock(mutex);
  if (error != EOWNERDEAD) return error == 0 ? ENOTSUP : error;
  ::pthread_mutex_consistent(mutex);
  ::pthread_mutex_unlock(mutex);
  ::pthread_mutex_destroy(mutex);
  return 0;
}

/// Two ends of a connection over an abstract name, which needs no file system. errno if it fails.
bool connect_abstract(Descriptor& left, Descriptor& right) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = fmt::format("lockstep-doctor-{}", ::getpid());
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  const Descriptor listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  left = Descriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (listener.get() < 0 || left.get() < 0) return false;
  if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 1) != 0) return false;
  if (::connect(left.get(), generic, size) != 0) return false;
  right = Descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return right.get() >= 0;
}

/// Hands `descriptor` over as members do (unix(7), SCM_RIGHTS); none if it does not arrive.
Descriptor pass_on(const Descriptor& left, const Descriptor& right, int descriptor) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  char byte = 'x';
  iovec body{.iov_base = &byte, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  if (::sendmsg(left.get(), &message, MSG_NOSIGNAL) != 1) return {};
  control.fill(0);
  message.msg_controllen = control.size();
  if (::recvmsg(right.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1) return {};
  header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return {};
  std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return Descriptor(descriptor);
}

}  // namespace

Trial try_shm() {
  const Descriptor memory(::memfd_create("lockstep-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (memory.get() < 0) return failed("memfd_create", errno);
  if (::fallocate(memory.get(), 0, 0, kBytes) != 0) return failed("fallocate of a memfd", errno);
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
    return failed("sealing a memfd", errno);
  }
  Descriptor left;
  Descriptor right;
  if (!connect_abstract(left, right)) return failed("an abstract unix socket", errno);
  const Descriptor received = pass_on(left, right, memory.get());
  if (received.get() < 0) return failed("passing a descriptor", errno);
  const SharedMemory mapped(received.get());
  if (!mapped.is_mapped()) return failed("mmap of a memfd", errno);
  if (const int error = try_robust_mutex(mapped.start()); error != 0) {
    return failed("a robust process-shared mutex", error);
  }
  const Descriptor doorbell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (doorbell.get() < 0) return failed("eventfd", errno);
  return {.works = true,
          .found = "memfd, abstract unix socket, robust mutex and eventfd work",
          .mend = ""};
}

}  // namespace lockstep::doctor
