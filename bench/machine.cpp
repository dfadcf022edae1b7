#include "bench/machine.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>

#include "bench/commit.hpp"
#include "runtime/topology.hpp"

namespace lockstep::bench {
namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string kernel() {
  utsname names{};
  if (uname(&names) != 0) return "unknown";
  return fmt::format("{} {}", names.sysname, names.release);
}

std::string utc_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  if (std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) return "unknown";
  return text.data();
}

constexpr const char* kCompiler =
#if defined(__clang__)
    "clang " __clang_version__;
#else
    "gcc " __VERSION__;
#endif

}  // namespace

Cpus find_cpus() {
  Cpus cpus;
  const auto allowed = runtime::allowed_cpus();
  if (!allowed) return cpus;
  for (std::uint32_t cpu = 0; cpu < runtime::CpuSet::kMostCpus; ++cpu) {
    if (allowed->contains(cpu)) cpus.allowed.push_back(static_cast<std::int32_t>(cpu));
  }
  // Picked one core after the other, so the first n of it are the pick for n.
  const auto picked = runtime::pick_cores(cpus.allowed.size());
  if (!picked) return cpus;
  for (const std::uint32_t cpu : *picked) cpus.preferred.push_back(static_cast<std::int32_t>(cpu));
  return cpus;
}

Machine describe_machine() {
  Machine machine;
  machine.cpu = cpu_model();
  machine.cores = static_cast<std::uint32_t>(sysconf(_SC_NPROCESSORS_ONLN));
  machine.allowed_cpus = find_cpus().allowed;
  machine.kernel = kernel();
  if (getloadavg(machine.load_average.data(), 3) != 3) machine.load_average = {};
  machine.date = utc_date();
  machine.commit = kCommit;
  machine.compiler = kCompiler;
  return machine;
}

}  // namespace lockstep::bench
