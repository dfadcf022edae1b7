#pragma once

#include "tools/doctor/finding.hpp"
#include "tools/doctor/machine.hpp"
#include "tools/doctor/probes.hpp"
#include "tools/doctor/tree.hpp"

namespace lockstep::doctor {

/// Each makes the finding whose id is in its name, and never fails: what it cannot read is a
/// finding too. All that `Tree` says of blocking and distrust holds.

// cpu_checks.cpp
Finding check_machine(const Tree& tree, const Machine& machine);
Finding check_allowed_cpus(const Tree& tree, const Machine& machine);
Finding check_isolated_cpus(const Tree& tree, const Machine& machine);
Finding check_nohz_full(const Tree& tree, const Machine& machine);
Finding check_hyper_threads(const Tree& tree, const Machine& machine);

// power_checks.cpp
Finding check_cpu_governor(const Tree& tree, const Machine& machine);
Finding check_idle_states(const Tree& tree, const Machine& machine);

// memory_checks.cpp
Finding check_huge_pages(const Tree& tree, const Machine& machine);
Finding check_transparent_huge_pages(const Tree& tree, const Machine& machine);
Finding check_locked_memory(const Tree& tree, const Machine& machine);
Finding check_numa_balancing(const Tree& tree, const Machine& machine);

// kernel_checks.cpp
Finding check_clock_source(const Tree& tree, const Machine& machine);
Finding check_invariant_tsc(const Tree& tree, const Machine& machine);
Finding check_io_uring(const Tree& tree, const Machine& machine, Probes& probes);
Finding check_mitigations(const Tree& tree, const Machine& machine);

// limit_checks.cpp
Finding check_cpu_quota(const Tree& tree, const Machine& machine);
Finding check_cpuset(const Tree& tree, const Machine& machine);
Finding check_memory_limit(const Tree& tree, const Machine& machine);
Finding check_process_limit(const Tree& tree, const Machine& machine);

// network_checks.cpp
Finding check_irq_affinity(const Tree& tree, const Machine& machine);
Finding check_nic_numa(const Tree& tree, const Machine& machine);
Finding check_receive_buffer(const Tree& tree, const Machine& machine);
Finding check_send_buffer(const Tree& tree, const Machine& machine);

// rdma_checks.cpp
Finding check_rdma_devices(const Tree& tree, const Machine& machine);
Finding check_rdma_gids(const Tree& tree, const Machine& machine);

// dpdk_checks.cpp
Finding check_dpdk_plugin(const Tree& tree, const Machine& machine, Probes& probes);
Finding check_dpdk_ports(const Tree& tree, const Machine& machine);

}  // namespace lockstep::doctor
