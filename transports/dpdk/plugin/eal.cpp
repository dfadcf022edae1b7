#include "transports/dpdk/plugin/eal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace lockstep::transports::dpdk {
namespace {

/// How much ordinary memory DPDK takes where there are no huge pages; touched as it is used.
constexpr const char* kMegabytes = "256";

bool huge_pages_are_free() {
  std::error_code error;
  for (const auto& size : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    std::ifstream file(size.path() / "free_hugepages");
    std::uint64_t pages = 0;
    // A page of a gigabyte is enough by itself; of 2 MiB pages a few are not.
    const bool large = size.path().filename() == "hugepages-1048576kB";
    if (file >> pages && pages >= (large ? 1 : 64)) return true;
  }
  return false;
}

int first_allowed_cpu() {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) return cpu;
  }
  return 0;
}

std::vector<std::string> arguments_for(const PluginOptions& options, bool huge) {
  std::vector<std::string> arguments{"lockstep",    "--no-telemetry",
                                     "--log-level", "error",
                                     "--lcores",    fmt::format("0@{}", first_allowed_cpu())};
  if (huge) {
    arguments.emplace_back("--in-memory");
  } else {
    for (const char* word : {"--no-huge", "--no-shconf", "-m", kMegabytes, "--file-prefix"}) {
      arguments.emplace_back(word);
    }
    arguments.push_back(options.prefix);
  }
  bool pci = false;
  for (const std::string& device : options.devices) {
    if (!is_pci(device)) continue;
    pci = true;
    arguments.emplace_back("-a");
    arguments.push_back(device);
  }
  if (!pci) arguments.emplace_back("--no-pci");
  arguments.insert(arguments.end(), options.eal.begin(), options.eal.end());
  return arguments;
}

/// What DPDK logs meanwhile.
class Log {
 public:
  Log() : stream_(::open_memstream(&text_, &bytes_)) { rte_openlog_stream(stream_); }
  ~Log() {
    rte_openlog_stream(nullptr);
    std::fclose(stream_);
    std::free(text_);
  }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  [[nodiscard]] std::string last_line() {
    std::fflush(stream_);
    std::string all(text_, bytes_);
    while (!all.empty() && all.back() == '\n') all.pop_back();
    return all.substr(all.rfind('\n') + 1);
  }

 private:
  char* text_ = nullptr;
  std::size_t bytes_ = 0;
  std::FILE* stream_;
};

struct Started {
  std::mutex mutex;
  pid_t by = 0;  ///< the process; 0: nobody has
  std::vector<std::string> arguments;
  Expected<void> outcome;
};
Started& started() {
  // Never ends: DPDK's threads do not either.
  static auto* const one = new Started;
  return *one;
}

Expected<void> run(std::vector<std::string> arguments, bool quiet) {
  Expected<void> outcome;
  // DPDK pins the thread that starts it, for good: a thread that ends with that.
  std::thread starter([&] {
    Log log;
    std::vector<char*> words;
    for (std::string& one : arguments) words.push_back(one.data());
    words.push_back(nullptr);
    const bool runs = rte_eal_init(static_cast<int>(arguments.size()), words.data()) >= 0;
    const int reason = rte_errno;
    // A folder for other processes that would share this one's memory: there are none. Unless it is
    // another program's, too: then there is something in it.
    std::error_code error;
    std::filesystem::remove(rte_eal_get_runtime_dir(), error);
    if (runs) {
      // What its drivers say of every attempt is nobody's to print here.
      if (quiet) rte_log_set_global_level(RTE_LOG_EMERG);
      return;
    }
    const std::string said = log.last_line();
    outcome = fail(ErrorCode::system,
                   fmt::format("DPDK does not start ({}): {}{}with '{}'; see group.dpdk_eal, and "
                               "start the process again: DPDK starts once",
                               rte_strerror(reason), said, said.empty() ? "" : " ",
                               fmt::join(arguments, " ")));
  });
  starter.join();
  return outcome;
}

}  // namespace

bool is_pci(const std::string& device) {
  unsigned domain = 0;
  unsigned bus = 0;
  unsigned slot = 0;
  unsigned function = 0;
  const std::string address = device.substr(0, device.find(','));
  return std::sscanf(address.c_str(), "%x:%x:%x.%x", &domain, &bus, &slot, &function) == 4 ||
         std::sscanf(address.c_str(), "%x:%x.%x", &bus, &slot, &function) == 3;
}

Expected<void> start_eal(const PluginOptions& options, Notices& notices) {
  Started& eal = started();
  const std::lock_guard lock(eal.mutex);
  if (eal.by != 0 && eal.by != ::getpid()) {
    return fail(ErrorCode::system,
                "this process was forked from one in which DPDK runs, whose threads it lacks; fork "
                "before a member is made, or start another program");
  }
  if (eal.by != 0) {
    if (!eal.outcome) return eal.outcome;
    const bool same = std::ranges::all_of(options.eal, [&](const std::string& one) {
      return std::ranges::find(eal.arguments, one) != eal.arguments.end();
    });
    const bool all_there = std::ranges::all_of(options.devices, [&](const std::string& one) {
      return !is_pci(one) || std::ranges::find(eal.arguments, one) != eal.arguments.end();
    });
    if (same && all_there) return {};
    return fail(ErrorCode::configuration,
                fmt::format("DPDK runs in this process already, with '{}', and starts once; give "
                            "all members of a process the same group.dpdk_eal and PCI devices",
                            fmt::join(eal.arguments, " ")));
  }
  const bool huge = huge_pages_are_free();
  if (!huge) {
    notices.add(
        "DPDK runs without huge pages, which costs misses in the TLB; make some with "
        "sysctl -w vm.nr_hugepages=256");
  }
  eal.by = ::getpid();
  eal.arguments = arguments_for(options, huge);
  const bool quiet = std::ranges::none_of(
      options.eal, [](const std::string& one) { return one.starts_with("--log-level"); });
  eal.outcome = run(eal.arguments, quiet);
  return eal.outcome;
}

}  // namespace lockstep::transports::dpdk
