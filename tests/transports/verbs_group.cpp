#include "tests/transports/verbs_group.hpp"

#include <infiniband/verbs.h>

#include <algorithm>
#include <utility>

namespace lockstep::transports::conformance {

std::vector<std::string> rdma_devices() {
  int count = 0;
  ibv_device** list = ::ibv_get_device_list(&count);
  std::vector<std::string> names;
  for (int i = 0; list != nullptr && i < count; ++i) {
    names.emplace_back(::ibv_get_device_name(list[i]));
  }
  if (list != nullptr) ::ibv_free_device_list(list);
  std::ranges::sort(names);
  return names;
}

VerbsOptions small_options(DeviceChoice device) {
  VerbsOptions options;
  options.device = std::move(device);
  options.members = 2;
  options.region_bytes = 4'096;
  options.source_bytes = 1 << 16;
  options.memory.huge_pages = HugePages::never;
  return options;
}

std::string VerbsGroup::missing() {
  return rdma_devices().empty() ? "no RDMA device here (ci/soft-roce runs this in a VM)" : "";
}

Expected<VerbsGroup> VerbsGroup::connect(std::uint32_t members, std::size_t region_bytes,
                                         std::size_t source_bytes, int gid_index) {
  const std::vector<std::string> devices = rdma_devices();
  VerbsGroup group;
  for (std::uint32_t rank = 0; rank < members; ++rank) {
    VerbsOptions options;
    options.device.device = rank % 2 == 0 ? devices.front() : devices.back();
    options.device.gid_index = gid_index;
    options.members = members;
    options.my_rank = rank;
    options.region_bytes = region_bytes;
    options.source_bytes = source_bytes;
    options.memory.huge_pages = HugePages::never;
    auto endpoint = VerbsTransport::open(options);
    if (!endpoint) return std::unexpected(endpoint.error());
    group.endpoints_.push_back(std::move(*endpoint));
  }
  for (std::uint32_t rank = 0; rank < members; ++rank) {
    for (LinkId link = 0; link < members; ++link) {
      if (link == rank) continue;
      const std::string parameters = group.endpoint(link).parameters_for(rank);
      auto connected = group.endpoint(rank).connect(link, parameters);
      if (!connected) return std::unexpected(connected.error());
    }
  }
  return group;
}

}  // namespace lockstep::transports::conformance
