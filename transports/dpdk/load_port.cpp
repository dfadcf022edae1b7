#include "transports/dpdk/load_port.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <vector>

namespace lockstep::transports::dpdk {
namespace {

constexpr const char* kFile = "liblockstep_dpdk.so";

/// The folder of the program or library that this code is in.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0) return {};
  std::error_code error;
  auto file = std::filesystem::canonical(info.dli_fname, error);
  // A program may be known by a name that is no path.
  if (error) file = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path() : file.parent_path();
}

Expected<void*> find_entry(const std::string& plugin, const char* name) {
  std::string tried;
  for (const std::string& path : plugin_paths(plugin)) {
    void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      tried += fmt::format("; {}", ::dlerror());
      continue;
    }
    void* const entry = ::dlsym(library, name);
    if (entry != nullptr) return entry;
    tried += fmt::format("; {} has no {}", path, name);
  }
  return fail(
      ErrorCode::not_supported,
      fmt::format("the DPDK plug-in cannot be loaded{}; build Lockstep where libdpdk-dev is "
                  "installed, put {} beside the program, or name it in group.dpdk_plugin",
                  tried, kFile));
}

template <class T>
Expected<std::unique_ptr<T>> open_by(const std::string& plugin, const char* name,
                                     const PluginOptions& options, Notices& notices) {
  const auto entry = find_entry(plugin, name);
  if (!entry) return std::unexpected(entry.error());
  const auto open = reinterpret_cast<PluginOpen<T>>(*entry);
  Error why;
  std::unique_ptr<T> opened(open(kPluginLayout, options, notices, why));
  if (!opened) return std::unexpected(why);
  return opened;
}

}  // namespace

std::vector<std::string> plugin_paths(const std::string& plugin) {
  if (!plugin.empty()) return {plugin};
  std::vector<std::string> paths;
  if (const auto folder = own_folder(); !folder.empty()) paths.push_back(folder / kFile);
  paths.emplace_back(kFile);
  return paths;
}

Expected<std::unique_ptr<Port>> load_port(const std::string& plugin, const PluginOptions& options,
                                          Notices& notices) {
  return open_by<Port>(plugin, kOpenPort, options, notices);
}

Expected<std::unique_ptr<Wire>> load_wire(const std::string& plugin, const PluginOptions& options,
                                          Notices& notices) {
  return open_by<Wire>(plugin, kOpenWire, options, notices);
}

}  // namespace lockstep::transports::dpdk
