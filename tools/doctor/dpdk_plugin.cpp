#include "tools/doctor/dpdk_plugin.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

namespace lockstep::doctor {
namespace {

constexpr const char* kName = "liblockstep_dpdk.so";

}  // namespace

std::vector<std::string> dpdk_plugin_paths() {
  std::vector<std::string> paths;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) paths.push_back(program.parent_path() / kName);
  paths.emplace_back(kName);
  return paths;
}

Trial try_dpdk_plugin(std::span<const std::string> paths) {
  std::string fault;
  for (const std::string& path : paths) {
    if (void* plugin = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); plugin != nullptr) {
      ::dlclose(plugin);
      return {.works = true, .found = fmt::format("{} can be loaded", kName), .mend = ""};
    }
    const char* reason = ::dlerror();
    // That a file is not there is told once; one that is there and broken says more.
    if (path.contains('/') && ::access(path.c_str(), F_OK) == 0) {
      fault = fmt::format("; {}", reason == nullptr ? "it cannot be loaded" : reason);
    }
  }
  if (!fault.empty()) {
    return {.works = false,
            .found = fmt::format("{} cannot be loaded{}", kName, fault),
            .mend = "apt-get install libdpdk-dev   # the DPDK libraries that it needs"};
  }
  return {.works = false,
          .found = fmt::format("{} is neither beside the program nor where dlopen looks", kName),
          .mend = "apt-get install libdpdk-dev && ci/build release   # builds it"};
}

}  // namespace lockstep::doctor
