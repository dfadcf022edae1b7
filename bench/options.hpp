#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/config.hpp"
#include "lockstep/error.hpp"
#include "tools/launch/members.hpp"

namespace lockstep::bench {

/// What is measured. See docs/bench.md.
enum class Scenario : std::uint8_t { latency, throughput, floor, idle, failover };
std::string_view to_string(Scenario scenario) noexcept;

/// One run as asked for on the command line.
struct Options {
  Scenario scenario = Scenario::latency;
  std::uint32_t members = 2;
  /// "all", or how many members send: ranks 0 … senders-1.
  std::string senders = "all";
  std::uint64_t payload_bytes = 64;
  IdlePolicy idle = IdlePolicy::automatic;
  /// One CPU per member, in rank order; as "0,1" or "0-3". Empty: see Plan::cores.
  std::string cores;
  /// Messages per second of all senders together; 0 is the closed loop. Latency only.
  double rate = 0;
  double seconds = 2;
  /// Ends after as many measured messages of all senders together, if that is before `seconds`; 0:
  /// never. Closed loop only.
  std::uint64_t samples = 0;
  std::string transport = "auto";
  /// Addresses of this host at which members listen in turn, where the medium is a network.
  std::vector<std::string> hosts{};
  std::string key_file{};  ///< by which members authenticate one another; empty: they do not
  std::string encryption = "automatic";  ///< as group.encryption; all members share a host here
  std::string tcp_io = "automatic";
  /// Each member in a network namespace of its own, joined by a switch; over tcp and udp.
  bool apart = false;
  /// Of the packets between members apart as many are lost; latency only. See run_loss.
  std::uint32_t loss_percent = 0;
  launch::As as = launch::As::processes;
  std::uint64_t ring_bytes = 1 << 20;
  std::uint32_t runs = 30;          ///< failover: kills
  std::uint64_t resident_mib = 16;  ///< failover: memory that each member has touched
};

/// Options with every question answered.
struct Plan {
  Options options;
  std::uint32_t senders = 0;
  /// CPU of each rank, or empty: then nobody is pinned and a member that waits must give way.
  ///
  /// Unless --cores says otherwise members are pinned when each can have a CPU of its own and none
  /// is going to sleep: pinned sleepers would wait for each other's CPU while another is free.
  std::vector<std::int32_t> cores;
  /// Where ranks 0 and 1 sit in floor blocks when they are not pinned; -1: anywhere.
  std::array<std::int32_t, 2> floor_cores{-1, -1};
  std::vector<std::string> addresses;  ///< one per member; empty: the medium needs none
};

/// The CPUs of this host as far as a plan needs to know them.
struct Cpus {
  std::vector<std::int32_t> allowed;  ///< those this process may run on
  /// The same, the best choice for the first n members first: distinct cores before siblings.
  std::vector<std::int32_t> preferred;
};

/// "0,2-4" → 0, 2, 3, 4. Errors: invalid_argument, quoting what is wrong.
Expected<std::vector<std::int32_t>> parse_cores(std::string_view text);

/// What rank `rank` of the plan joins with; `name` names the group.
GroupConfig group_config(const Plan& plan, const std::string& name, std::uint32_t rank);

/// Checks everything that can be known before members start. Errors: invalid_argument, naming
/// the option.
Expected<Plan> make_plan(const Options& options, const Cpus& cpus);

}  // namespace lockstep::bench
