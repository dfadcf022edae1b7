#include "bench/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "tools/launch/local_addresses.hpp"

namespace lockstep::bench {
namespace {

constexpr std::int32_t kMostCpu = 4'095;
constexpr double kMostSeconds = 3'600;
constexpr std::uint32_t kMostRuns = 100'000;
constexpr std::uint64_t kMostResidentMib = 1 << 16;

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::invalid_argument, std::move(message));
}

Expected<std::uint32_t> count_senders(const Options& options) {
  if (options.senders == "all") return options.members;
  const auto count = parse_number<std::uint32_t>(options.senders);
  if (!count || *count < 1 || *count > options.members) {
    return refuse(fmt::format("--senders {}: must be \"all\" or 1 to --members, which is {}",
                              options.senders, options.members));
  }
  return *count;
}

Expected<void> check_ranges(const Options& options) {
  if (options.members < 2 || options.members > kMaxMembers) {
    return refuse(fmt::format("--members {}: must be 2 to {}", options.members, kMaxMembers));
  }
  if (!(options.seconds > 0) || options.seconds > kMostSeconds) {
    return refuse(
        fmt::format("--seconds {}: must be above 0 and at most {}", options.seconds, kMostSeconds));
  }
  if (!std::isfinite(options.rate) || options.rate < 0) {
    return refuse(fmt::format("--rate {}: must be messages per second, or 0", options.rate));
  }
  if (options.runs < 1 || options.runs > kMostRuns) {
    return refuse(fmt::format("--runs {}: must be 1 to {}", options.runs, kMostRuns));
  }
  if (options.resident_mib > kMostResidentMib) {
    return refuse(
        fmt::format("--resident-mib {}: must be 0 to {}", options.resident_mib, kMostResidentMib));
  }
  if (options.scenario == Scenario::failover && options.as == launch::As::threads) {
    return refuse("--as threads: failover kills members, and a thread cannot be killed");
  }
  const bool orphan = options.scenario == Scenario::failover && options.members == 2;
  if (orphan) {
    return refuse(
        "--members 2: a group of two does not survive the loss of its first member; give 3 or "
        "more");
  }
  if (options.payload_bytes > (std::uint64_t{1} << 29)) {
    return refuse(
        fmt::format("--payload-bytes {}: the largest ring, 1 GiB, takes less than half "
                    "of itself",
                    options.payload_bytes));
  }
  return {};
}

Expected<void> check_network(const Options& options) {
  if (options.loss_percent > 50) {
    return refuse(fmt::format("--loss-percent {}: must be 0 to 50; beyond it peers count as gone",
                              options.loss_percent));
  }
  if (options.loss_percent == 0 && !options.apart) return {};
  if (options.transport != "tcp" && options.transport != "udp") {
    return refuse(
        fmt::format("--transport {}: members in networks of their own (--apart, "
                    "--loss-percent) meet over tcp or udp",
                    options.transport));
  }
  if (options.hosts.empty()) return {};
  return refuse("--hosts: members in networks of their own have addresses there");
}

/// Over memif: one device a pair of processes.
Expected<void> check_dpdk(const Options& options) {
  if (options.transport != "dpdk") return {};
  if (options.scenario == Scenario::failover) {
    return refuse(
        "--transport dpdk: failover is not measured over it, since memif of DPDK 22.11 does not "
        "survive the death of its other end");
  }
  if (options.as == launch::As::processes) return {};
  return refuse("--as threads: members that meet over dpdk (memif) are processes");
}

Expected<std::vector<std::int32_t>> choose_cores(const Options& options, const Cpus& cpus) {
  if (!options.cores.empty()) {
    auto cores = parse_cores(options.cores);
    if (!cores) return cores;
    if (cores->size() != options.members) {
      return refuse(fmt::format("--cores {}: names {} CPUs for {} members; give one each",
                                options.cores, cores->size(), options.members));
    }
    for (const std::int32_t core : *cores) {
      if (std::ranges::find(cpus.allowed, core) == cpus.allowed.end()) {
        return refuse(fmt::format("--cores {}: this process may not run on CPU {}; allowed are {}",
                                  options.cores, core, fmt::join(cpus.allowed, ",")));
      }
    }
    return cores;
  }
  const bool spins = options.idle == IdlePolicy::spin || options.idle == IdlePolicy::automatic;
  if (!spins || options.members > cpus.preferred.size()) return std::vector<std::int32_t>{};
  return std::vector<std::int32_t>(cpus.preferred.begin(),
                                   cpus.preferred.begin() + options.members);
}

}  // namespace

std::string_view to_string(Scenario scenario) noexcept {
  switch (scenario) {
    case Scenario::latency:
      return "latency";
    case Scenario::throughput:
      return "throughput";
    case Scenario::floor:
      return "floor";
    case Scenario::idle:
      return "idle";
    case Scenario::failover:
      return "failover";
  }
  return "unknown";
}

Expected<std::vector<std::int32_t>> parse_cores(std::string_view text) {
  std::vector<std::int32_t> cores;
  const std::string_view whole = text;
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    more = comma != std::string_view::npos;
    const std::string_view part = text.substr(0, comma);
    text = more ? text.substr(comma + 1) : std::string_view();
    const std::size_t dash = part.find('-');
    const auto first = parse_number<std::int32_t>(part.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : parse_number<std::int32_t>(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last > kMostCpu) {
      return refuse(
          fmt::format("--cores {}: \"{}\" is no CPU and no range of CPUs; write 0,1 or "
                      "0-3, at most {}",
                      whole, part, kMostCpu));
    }
    for (std::int32_t core = *first; core <= *last; ++core) cores.push_back(core);
  }
  return cores;
}

GroupConfig group_config(const Plan& plan, const std::string& name, std::uint32_t rank) {
  GroupConfig config;
  config.name = name;
  for (std::uint32_t i = 0; i < plan.options.members; ++i) {
    config.members.push_back(fmt::format("m{}", i));
  }
  config.senders.assign(config.members.begin(), config.members.begin() + plan.senders);
  config.self = config.members[rank];
  config.addresses = plan.addresses;
  config.transport = plan.options.transport;
  if (config.transport == "dpdk") config.dpdk_devices = "memif:" + name;
  config.key_file = plan.options.key_file;
  config.encryption = plan.options.encryption;
  config.tcp_io = plan.options.tcp_io;
  config.ring_bytes = plan.options.ring_bytes;
  return config;
}

Expected<Plan> make_plan(const Options& options, const Cpus& cpus) {
  if (auto checked = check_ranges(options); !checked) return std::unexpected(checked.error());
  if (auto checked = check_network(options); !checked) return std::unexpected(checked.error());
  if (auto checked = check_dpdk(options); !checked) return std::unexpected(checked.error());
  auto senders = count_senders(options);
  if (!senders) return std::unexpected(senders.error());
  auto cores = choose_cores(options, cpus);
  if (!cores) return std::unexpected(cores.error());
  Plan plan{options, *senders, std::move(*cores), {-1, -1}, {}};
  auto addresses = launch::local_addresses(options.transport, options.members, options.hosts);
  if (!addresses) return std::unexpected(addresses.error());
  plan.addresses = std::move(*addresses);
  if (plan.cores.empty() && cpus.preferred.size() >= 2) {
    plan.floor_cores = {cpus.preferred[0], cpus.preferred[1]};
  }
  if (auto valid = validate(group_config(plan, "bench", 0)); !valid) {
    return refuse(valid.error().message);
  }
  return plan;
}

}  // namespace lockstep::bench
