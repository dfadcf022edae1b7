#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/error.hpp"
#include "lockstep/export.hpp"

namespace lockstep {

/// The most members a group can have: observations are one 64-bit mask per member.
inline constexpr std::uint32_t kMaxMembers = 64;

/// What a reactor does when a turn of its loop found nothing to do.
///
/// `backoff` spins for about a microsecond, yields some tens of times, then sleeps on a doorbell
/// with a deadline; it is the only policy that works with more reactors than cores. `automatic`
/// becomes `spin` when every reactor of every member on this host can have a CPU of its own (learnt
/// when the group connects), else `backoff`. Asking for `spin` without the CPUs is refused: pure
/// spinning is then a thousand times slower than sleeping, not faster.
enum class IdlePolicy : std::uint8_t { automatic, spin, yield, backoff };

/// The word for `policy`, as it stands in configuration files: "backoff".
LOCKSTEP_EXPORT std::string_view to_string(IdlePolicy policy) noexcept;

/// Whether memory regions use 2 MiB pages. `automatic` tries and falls back to 4 KiB with a notice.
enum class HugePages : std::uint8_t { automatic, never, required };

/// Settings of one reactor: one thread that runs one loop. In a file: table `[reactor]`.
struct ReactorConfig {
  IdlePolicy idle = IdlePolicy::automatic;
  /// CPU to pin the reactor thread to; negative leaves the thread where it is.
  std::int32_t core = -1;
  /// `backoff`: how long to spin, and how often to yield, before sleeping.
  std::uint64_t backoff_spin_ns = 1'000;
  std::uint32_t backoff_yields = 64;
  HugePages huge_pages = HugePages::automatic;
  /// Lock regions in memory. Needs RLIMIT_MEMLOCK; refused with the limit named when too small.
  bool lock_memory = false;
  /// Path of the live counters file (see docs/counters.md); empty: counters stay in the process.
  std::string counters_file{};
};

/// Settings of one group as one member sees it. In a file: table `[group]`.
///
/// All members must agree on what concerns more than one of them (docs/configuration.md marks it):
/// a difference is refused when they connect, naming the setting and both values.
struct GroupConfig {
  /// Names the group on this host. 1–40 characters of [a-zA-Z0-9_.-].
  std::string name = "lockstep";
  /// This member's name: one of `members`.
  std::string self{};
  /// Everybody who may ever be a member, founders in rank order. 1–64 distinct names, characters as
  /// above.
  std::vector<std::string> members{};
  /// Which members found the group: it begins when all of them are there. Empty means all. The
  /// others, and whoever comes back, join it while it runs.
  std::vector<std::string> founders{};
  /// Which members may multicast; empty means all of them. Fewer senders need fewer nulls.
  std::vector<std::string> senders{};
  /// What the members replicate, in words of the program's own, with whatever must be the same at
  /// all of them for their states to stay the same ("book v3, 262144 orders"): members that say
  /// different things are not members of one group. At most 200 printable ASCII characters.
  std::string application{};
  /// Where members listen for the others, in rank order: an IP address and a port, as
  /// "10.0.0.1:7000" or "[fd00::1]:7000"; an empty text where this member does not know, and learns
  /// it from the others. Its own must be there. Not needed where all members share one host
  /// ("shm").
  std::vector<std::string> addresses{};
  /// How members reach one another: "shm", "tcp", "udp", "verbs", "dpdk", or "auto": shared memory
  /// when no addresses are given, else as each two members can: shared memory on one host, RDMA
  /// where both have a device, TCP. See docs/transports.md.
  std::string transport = "auto";
  /// TCP, UDP, DPDK and verbs: path of a file with 64 hex digits that only its owner may read: the
  /// key by which members prove to one another that they belong together, the same at all of them.
  /// Empty: whoever reaches a member's port is believed. Over shared memory the kernel tells whose
  /// a process is.
  std::string key_file{};
  /// Whether what members send over TCP, UDP and DPDK is encrypted, link by link: "automatic":
  /// where there is a key_file and the two run on different hosts; "always", which needs a
  /// key_file; "never". See docs/security.md.
  std::string encryption = "automatic";
  /// TCP, and "auto": through "io_uring", by the calls of plain "sockets", or "automatic": what was
  /// measured to be faster, which is sockets so far.
  std::string tcp_io = "automatic";
  /// Verbs, and "auto": the RDMA device, as "mlx5_0"; empty: the one that has this member's
  /// address.
  std::string verbs_device{};
  /// Verbs, and "auto": which entry of the device's GID table; negative: the RoCE v2 entry of this
  /// member's address.
  std::int32_t verbs_gid_index = -1;
  /// DPDK only: the Ethernet devices of this member, as DPDK names them, with spaces between them:
  /// PCI addresses ("0000:3b:00.0") and virtual devices ("net_af_packet0,iface=eth1"). "memif:NAME"
  /// stands for shared-memory devices to all other members of one host, "rings:NAME" of one
  /// process.
  std::string dpdk_devices{};
  /// DPDK only: what stands in front of a packet: "ethernet": an Ethernet head alone; "udp": IP and
  /// UDP heads as well, for networks that route.
  std::string dpdk_encapsulation = "ethernet";
  /// DPDK only: more arguments for its environment (EAL), with spaces between them.
  std::string dpdk_eal{};
  /// DPDK only: path of liblockstep_dpdk.so; empty: it is looked for beside the program.
  std::string dpdk_plugin{};
  /// Size of each sender's ring: a power of two, 4 KiB – 1 GiB. The largest payload is a little
  /// less than half of it (see Group::max_payload_bytes).
  std::uint64_t ring_bytes = 1 << 20;
  /// How long Group::join waits: for the founders, or to be taken in and to have the state.
  std::uint64_t join_timeout_ns = 30'000'000'000;
  /// How often an idle member shows that it lives.
  std::uint64_t heartbeat_interval_ns = 100'000'000;
  /// A member silent for this long counts as unreachable though its process exists, and the others
  /// go on without it. At least ten heartbeat intervals. Deaths are noticed at once, without it.
  std::uint64_t silence_timeout_ns = 2'000'000'000;
  /// A member that this many turns of the order wait for, for slow_timeout_ns or nearly all of it,
  /// is slow. All members are told (StateMachine::member_slow). 0: nobody ever is.
  std::uint64_t slow_lag = 1'000;
  std::uint64_t slow_timeout_ns = 1'000'000'000;
  /// Whether the others go on without a slow member. It may join again.
  bool slow_evicts = false;
  /// Slots in the mailbox behind Group::post, and the largest payload it takes.
  std::uint32_t mailbox_slots = 1'024;
  std::uint32_t mailbox_payload_bytes = 1'024;
};

/// Everything one member needs.
struct Config {
  ReactorConfig reactor;
  GroupConfig group;
};

/// Reads a TOML file with the tables `[reactor]` and `[group]`; keys are the field names above.
/// Afterwards every variable `LOCKSTEP_<TABLE>_<KEY>` in the environment (for example
/// `LOCKSTEP_GROUP_RING_BYTES=65536`) overrides its setting.
///
/// Unknown keys, wrong types and values out of range are errors that name file, line, key, and
/// what is allowed. Blocks on the file system; allocates; any thread.
LOCKSTEP_EXPORT Expected<Config> load_config(const std::string& path);

/// One key of a table that is the program's own: read, and for the program to judge.
struct ProgramSetting {
  std::string key;
  std::string value;  ///< numbers, words and texts bare; lists separated by commas
  std::string
      origin;  ///< how a message about it begins: `node.toml:3: node.listen = '/run/a.sock'`
};

/// As above, of a file that may hold one more table, `[table]`: its keys come back in `settings`,
/// in alphabetical order. The environment has no variables for them.
LOCKSTEP_EXPORT Expected<Config> load_config(const std::string& path, std::string_view table,
                                             std::vector<ProgramSetting>& settings);

/// Checks a configuration built in code against the same limits. Any thread.
LOCKSTEP_EXPORT Expected<void> validate(const GroupConfig& config);
LOCKSTEP_EXPORT Expected<void> validate(const ReactorConfig& config);

}  // namespace lockstep
