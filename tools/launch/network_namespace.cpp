#include "tools/launch/network_namespace.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>

#include "tools/launch/child.hpp"

namespace lockstep::launch {
namespace {

constexpr std::uint64_t kToolTimeoutNs = 30'000'000'000;
/// What a shell says when a program is missing.
constexpr int kNoSuchProgram = 127;
constexpr std::size_t kLongestComplaintBytes = 2000;

constexpr std::chrono::seconds kRunningTimeout{10};

std::unexpected<Error> system_error(const char* call) {
  return fail(ErrorCode::system, fmt::format("{}: {}", call, std::strerror(errno)));
}

std::unexpected<Error> cannot_make(int reason) {
  const bool forbidden = reason == EPERM || reason == EACCES;
  return fail(
      forbidden || reason == EINVAL ? ErrorCode::not_supported : ErrorCode::system,
      fmt::format("cannot make a network namespace: unshare: {}; {}", std::strerror(reason),
                  forbidden ? "it needs CAP_SYS_ADMIN: run it as root, in a container with "
                              "--cap-add SYS_ADMIN"
                            : "the kernel needs CONFIG_NET_NS, and user.max_net_namespaces allows "
                              "so many"));
}

/// Whether an interface of the calling thread's network is up and has a carrier (netdevice(7)).
bool is_running(const std::string& interface) {
  const transports::Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(any.get(), SIOCGIFFLAGS, &request) != 0) return false;
  return (static_cast<unsigned>(request.ifr_flags) & IFF_RUNNING) != 0;
}

/// A nameless file in memory that holds `content`, to be read from its start.
transports::Descriptor file_with(const std::string& content) {
  transports::Descriptor file(memfd_create("lockstep-partitions", MFD_CLOEXEC));
  const ssize_t written = pwrite(file.get(), content.data(), content.size(), 0);
  return written == static_cast<ssize_t>(content.size()) ? std::move(file)
                                                         : transports::Descriptor();
}

std::string content_of(const transports::Descriptor& file) {
  std::string content(kLongestComplaintBytes, '\0');
  const ssize_t got = pread(file.get(), content.data(), content.size(), 0);
  content.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!content.empty() && content.back() == '\n') content.pop_back();
  return content;
}

/// Replaces the calling process by a program. Returns only when there is none.
int become(const std::vector<std::string>& command, int input, int complaints) {
  static constexpr std::array kFolders = {"/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"};
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  dup2(input, STDIN_FILENO);
  dup2(complaints, STDOUT_FILENO);
  dup2(complaints, STDERR_FILENO);
  for (const char* folder : kFolders) execv((folder + command[0]).c_str(), arguments.data());
  return kNoSuchProgram;
}

}  // namespace

Expected<NetworkNamespace> NetworkNamespace::create() {
  int descriptor = -1;
  int reason = 0;
  // A thread of its own leaves for the new namespace, since its maker wants to stay where it is.
  std::thread([&] {
    if (unshare(CLONE_NEWNET) == 0) {
      descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    }
    reason = errno;
  }).join();
  if (descriptor < 0) return cannot_make(reason);
  NetworkNamespace made(descriptor);
  if (auto up = made.ip("link set lo up\n"); !up) return std::unexpected(up.error());
  return made;
}

Expected<void> NetworkNamespace::enter() const {
  if (setns(descriptor_.get(), CLONE_NEWNET) == 0) return {};
  return system_error("cannot enter a network namespace: setns");
}

Expected<void> NetworkNamespace::visit(const std::function<void()>& body) const {
  Expected<void> result;
  std::thread([&] {
    result = enter();
    if (result) body();
  }).join();
  return result;
}

Expected<void> NetworkNamespace::run(const std::vector<std::string>& command,
                                     const std::string& input) const {
  const transports::Descriptor stdin_file = file_with(input);
  const transports::Descriptor complaints = file_with("");
  if (stdin_file.get() < 0 || complaints.get() < 0) return system_error("memfd_create");
  auto child = Child::start(
      [&] { return enter() ? become(command, stdin_file.get(), complaints.get()) : 1; });
  if (!child) return std::unexpected(child.error());
  const auto status = child->wait(kToolTimeoutNs);
  if (!status) return std::unexpected(status.error());
  if (*status == 0) return {};
  if (*status == kNoSuchProgram) {
    return fail(ErrorCode::system, fmt::format("there is no program '{}' on this machine; "
                                               "install the packages iproute2 and nftables",
                                               command[0]));
  }
  return fail(ErrorCode::system, fmt::format("'{}' ended with status {}: {}\nits input was:\n{}",
                                             fmt::join(command, " "), *status,
                                             content_of(complaints), input.substr(0, 1000)));
}

Expected<void> NetworkNamespace::ip(const std::string& lines) const {
  return run({"ip", "-batch", "-"}, lines);
}

Expected<void> NetworkNamespace::wait_until_running(const std::string& interface) const {
  bool running = false;
  const auto visited = visit([&] {
    const auto deadline = std::chrono::steady_clock::now() + kRunningTimeout;
    while (!(running = is_running(interface)) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  if (!visited || running) return visited;
  return fail(ErrorCode::timed_out, fmt::format("interface {} has no carrier after {} s", interface,
                                                kRunningTimeout.count()));
}

std::string NetworkNamespace::path() const {
  return fmt::format("/proc/{}/fd/{}", getpid(), descriptor_.get());
}

}  // namespace lockstep::launch
