#include "bench/peers/corosync_node.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bench/peers/conversation.hpp"
#include "bench/peers/daemon.hpp"

namespace lockstep::bench::peers {
namespace {

constexpr std::uint64_t kTimeoutNs = 30'000'000'000;
constexpr useconds_t kPauseUs = 20'000;

cpg_name group_name() {
  cpg_name name{};
  constexpr std::string_view kName = "lockstep-bench";
  name.length = static_cast<std::uint32_t>(kName.copy(name.value, sizeof name.value));
  return name;
}

std::unexpected<Error> refused(const char* call, int reason) {
  return fail(reason == EPERM || reason == EACCES ? ErrorCode::not_supported : ErrorCode::system,
              fmt::format("cannot give corosync a network and a /run of its own: {}: {}; it needs "
                          "CAP_SYS_ADMIN",
                          call, std::strerror(reason)));
}

std::unexpected<Error> cpg_error(const char* call, cs_error_t error) {
  return fail(ErrorCode::system, fmt::format("corosync: {}: {}", call, cs_strerror(error)));
}

/// Where a node finds the benchmark's folder, wherever that was: /dev/shm is another one to it.
constexpr const char* kFolder = "/run/lockstep-bench";

Expected<void> enter(const std::string& network, const std::string& folder) {
  const int descriptor = open(network.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return refused(network.c_str(), errno);
  const bool entered = setns(descriptor, CLONE_NEWNET) == 0;
  const int reason = errno;
  close(descriptor);
  if (!entered) return refused("setns", reason);
  if (unshare(CLONE_NEWNS) != 0) return refused("unshare", errno);
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return refused("mount", errno);
  }
  const auto cover = [](const char* place) { return mount("none", place, "tmpfs", 0, nullptr); };
  if (cover("/run") != 0) return refused("/run", errno);
  if (mkdir(kFolder, 0700) != 0 || mount(folder.c_str(), kFolder, nullptr, MS_BIND, nullptr) != 0) {
    return refused(kFolder, errno);
  }
  // libqb's rings; what a killed daemon leaves there vanishes with the last process in here.
  if (cover("/dev/shm") != 0) return refused("/dev/shm", errno);
  if (cover("/var/lib/corosync") != 0) return refused("/var/lib/corosync", errno);
  return {};
}

}  // namespace

CorosyncNode::Seen CorosyncNode::seen_;

Expected<CorosyncNode> CorosyncNode::start(const std::string& network, const std::string& folder,
                                           const std::string& name) {
  const auto program = find_program("corosync", "corosync");
  if (!program) return std::unexpected(program.error());
  if (auto entered = enter(network, folder); !entered) return std::unexpected(entered.error());
  const std::string log = fmt::format("{}/{}.log", kFolder, name);
  auto daemon = start_daemon({*program, "-f", "-c", fmt::format("{}/corosync.conf", kFolder)}, log);
  if (!daemon) return std::unexpected(daemon.error());
  CorosyncNode node(std::move(*daemon));
  if (auto joined = node.join(log); !joined) return std::unexpected(joined.error());
  return node;
}

Expected<void> CorosyncNode::join(const std::string& log) {
  cpg_callbacks_t callbacks{.cpg_deliver_fn = deliver, .cpg_confchg_fn = change};
  cpg_name name = group_name();
  const std::uint64_t deadline_ns = now_ns() + kTimeoutNs;
  cs_error_t error = CS_OK;
  // The daemon's socket appears a while after the daemon.
  while ((error = cpg_initialize(&handle_, &callbacks)) != CS_OK) {
    if (const auto ended = daemon_.wait(0); ended || now_ns() > deadline_ns) {
      return fail(ErrorCode::timed_out, fmt::format("corosync does not serve: {}; it said: {}",
                                                    cs_strerror(error), tail_of(log)));
    }
    usleep(kPauseUs);
  }
  while ((error = cpg_join(handle_, &name)) == CS_ERR_TRY_AGAIN && now_ns() < deadline_ns) {
    usleep(kPauseUs);
  }
  if (error != CS_OK) return cpg_error("cpg_join", error);
  if (error = cpg_local_get(handle_, &seen_.node); error != CS_OK) {
    return cpg_error("cpg_local_get", error);
  }
  seen_.process = static_cast<std::uint32_t>(getpid());
  return {};
}

Expected<void> CorosyncNode::wait_for_members(std::size_t count) {
  const std::uint64_t deadline_ns = now_ns() + kTimeoutNs;
  while (seen_.members < count) {
    if (now_ns() > deadline_ns) {
      return fail(ErrorCode::timed_out,
                  fmt::format("corosync's group has {} members of {}", seen_.members, count));
    }
    if (const cs_error_t error = cpg_dispatch(handle_, CS_DISPATCH_ALL); error != CS_OK) {
      return cpg_error("cpg_dispatch", error);
    }
    usleep(kPauseUs);
  }
  return {};
}

Expected<void> CorosyncNode::deliver_one(const std::vector<char>& payload) {
  iovec part{const_cast<char*>(payload.data()), payload.size()};
  const std::uint64_t before = seen_.own;
  cs_error_t error = CS_OK;
  while ((error = cpg_mcast_joined(handle_, CPG_TYPE_AGREED, &part, 1)) == CS_ERR_TRY_AGAIN) {
  }
  if (error != CS_OK) return cpg_error("cpg_mcast_joined", error);
  while (seen_.own == before) {
    if (error = cpg_dispatch(handle_, CS_DISPATCH_ONE); error != CS_OK) {
      return cpg_error("cpg_dispatch", error);
    }
  }
  return {};
}

void CorosyncNode::follow() { cpg_dispatch(handle_, CS_DISPATCH_BLOCKING); }

void CorosyncNode::deliver(cpg_handle_t /*handle*/, const cpg_name* /*group*/, std::uint32_t node,
                           std::uint32_t process, void* /*message*/, std::size_t /*bytes*/) {
  if (node == seen_.node && process == seen_.process) ++seen_.own;
}

void CorosyncNode::change(cpg_handle_t /*handle*/, const cpg_name* /*group*/,
                          const cpg_address* /*members*/, std::size_t count,
                          const cpg_address* /*left*/, std::size_t /*left_count*/,
                          const cpg_address* /*joined*/, std::size_t /*joined_count*/) {
  seen_.members = count;
}

}  // namespace lockstep::bench::peers
