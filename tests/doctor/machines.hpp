#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/doctor/fixture_tree.hpp"
#include "tools/doctor/examine.hpp"

namespace lockstep::doctor {

/// Answers as told to: everything works until it is changed.
class StagedProbes final : public Probes {
 public:
  Trial io_uring() override { return ring; }
  Trial shm() override { return memory; }
  Trial tcp() override { return streams; }
  Trial udp() override { return packets; }
  Trial verbs() override { return device; }
  Trial dpdk_plugin() override { return plugin; }

  Trial ring{.works = true, .found = "allowed", .mend = ""};
  Trial memory{.works = true, .found = "works", .mend = ""};
  Trial streams = memory;
  Trial packets = memory;
  Trial device = memory;
  Trial plugin = memory;
};

/// Eight CPUs on two nodes, 6-7 set apart for reactors, a RoCE NIC on their node, no limits.
void make_tuned_server(FixtureTree& tree);
/// Four hyper-threads of two cores, saving power, one NIC, no RDMA.
void make_laptop(FixtureTree& tree);
/// A docker container with half a CPU, 256 MiB and few processes, on the tuned server.
void make_container(FixtureTree& tree);

/// The finding `id` about the machine; a failed expectation and an empty one if there is none.
Finding find(const FixtureTree& tree, std::string_view id, const Plan& plan = {});
Finding find(const FixtureTree& tree, Probes& probes, std::string_view id, const Plan& plan = {});

/// The plan with these cores.
Plan with_cores(std::string_view cores);

}  // namespace lockstep::doctor
