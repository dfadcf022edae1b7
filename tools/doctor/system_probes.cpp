#include "tools/doctor/system_probes.hpp"

#include "tools/doctor/dpdk_plugin.hpp"

namespace lockstep::doctor {

Trial SystemProbes::io_uring() { return try_io_uring(); }
Trial SystemProbes::shm() { return try_shm(); }
Trial SystemProbes::tcp() { return try_tcp(); }
Trial SystemProbes::udp() { return try_udp(); }
Trial SystemProbes::verbs() { return try_verbs(); }
Trial SystemProbes::dpdk_plugin() { return try_dpdk_plugin(dpdk_plugin_paths()); }

}  // namespace lockstep::doctor
