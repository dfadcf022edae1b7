#include "runtime/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <type_traits>
#include <utility>

#include "runtime/endpoint.hpp"

namespace lockstep::runtime {
namespace {

constexpr std::size_t kMostNameCharacters = 40;
/// PATH_MAX without its zero.
constexpr std::size_t kMostPathCharacters = 4'095;
constexpr std::size_t kMostTextCharacters = 200;
constexpr std::string_view kNameRequirement = "1 to 40 characters of [a-zA-Z0-9_.-]";

constexpr std::array<std::string_view, 4> kIdleWords = {"automatic", "spin", "yield", "backoff"};
constexpr std::array<std::string_view, 3> kHugePagesWords = {"automatic", "never", "required"};
constexpr std::array<std::string_view, 6> kTransportWords = {"auto", "dpdk", "shm",
                                                             "tcp",  "udp",  "verbs"};
constexpr std::array<std::string_view, 2> kEncapsulationWords = {"ethernet", "udp"};
constexpr std::array<std::string_view, 3> kEncryptionWords = {"always", "automatic", "never"};
constexpr std::array<std::string_view, 3> kTcpIoWords = {"automatic", "io_uring", "sockets"};
static_assert(std::to_underlying(IdlePolicy::backoff) == kIdleWords.size() - 1);
static_assert(std::to_underlying(HugePages::required) == kHugePagesWords.size() - 1);

constexpr std::span<const std::string_view> words_of(IdlePolicy) { return kIdleWords; }
constexpr std::span<const std::string_view> words_of(HugePages) { return kHugePagesWords; }

template <class T>
Value to_value(const T& field) {
  if constexpr (std::is_enum_v<T>) {
    const auto words = words_of(T{});
    const auto index = static_cast<std::size_t>(field);
    return index < words.size() ? std::string(words[index]) : fmt::format("{}", index);
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
    return static_cast<std::int64_t>(std::min(field, static_cast<std::uint64_t>(kMost)));
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    return static_cast<std::int64_t>(field);
  } else {
    return field;
  }
}

template <class T>
void assign(T& field, const Value& value) {
  if constexpr (std::is_enum_v<T>) {
    const auto words = words_of(T{});
    const auto found = std::ranges::find(words, std::get<std::string>(value));
    field = static_cast<T>(found - words.begin());
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    field = static_cast<T>(std::get<std::int64_t>(value));
  } else {
    field = std::get<T>(value);
  }
}

template <auto Table, auto Field>
Setting setting(std::string_view table, std::string_view key, Rule rule, bool agreed) {
  return {.table = table,
          .key = key,
          .rule = rule,
          .agreed = agreed,
          .get = [](const Config& config) { return to_value((config.*Table).*Field); },
          .set = [](Config& config, const Value& value) { assign((config.*Table).*Field, value); }};
}

template <auto Field>
Setting of_reactor(std::string_view key, Rule rule) {
  return setting<&Config::reactor, Field>("reactor", key, rule, false);
}

template <auto Field>
Setting of_group(std::string_view key, Rule rule) {
  return setting<&Config::group, Field>("group", key, rule, true);
}

template <auto Field>
Setting of_member(std::string_view key, Rule rule) {
  return setting<&Config::group, Field>("group", key, rule, false);
}

constexpr std::int64_t kMicrosecond = 1'000;
constexpr std::int64_t kMillisecond = 1'000 * kMicrosecond;
constexpr std::int64_t kSecond = 1'000 * kMillisecond;
constexpr std::int64_t kDay = 86'400 * kSecond;

bool is_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  return !text.empty() && text.size() <= kMostNameCharacters && std::ranges::all_of(text, allowed);
}

bool is_text(std::string_view text, std::size_t most = kMostTextCharacters) {
  return text.size() <= most &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

bool fits(const Whole& rule, std::int64_t value) {
  if (value < rule.least || value > rule.most) return false;
  return !rule.power_of_two || (value & (value - 1)) == 0;
}

const std::string* first_repeated(const std::vector<std::string>& names) {
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (name->empty()) continue;  // addresses only: not known
    if (std::find(names.begin(), name, *name) != name) return &*name;
  }
  return nullptr;
}

std::string names_fault(const Setting& setting, const std::vector<std::string>& names) {
  const Names& rule = std::get<Names>(setting.rule);
  if (names.empty() && !rule.empty_allowed) return "no names; " + requirement(setting.rule);
  if (names.size() > kMaxMembers) {
    return fmt::format("too many {}: {} named, at most {}", setting.key, names.size(), kMaxMembers);
  }
  for (const std::string& name : names) {
    if (rule.of_addresses) {
      if (name.empty()) continue;
      if (auto endpoint = parse_endpoint(name); !endpoint) return endpoint.error().message;
    } else if (!is_name(name)) {
      return fmt::format("\"{}\" must be {}", name, kNameRequirement);
    }
  }
  if (const std::string* name = first_repeated(names)) {
    return fmt::format("\"{}\" is named twice", *name);
  }
  return {};
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::span<const Setting> settings() {
  using R = ReactorConfig;
  using G = GroupConfig;
  static const std::array table = {
      of_reactor<&R::idle>("idle", Words{kIdleWords}),
      of_reactor<&R::core>("core", Whole{-1, 1'023}),
      of_reactor<&R::backoff_spin_ns>("backoff_spin_ns", Whole{0, kSecond}),
      of_reactor<&R::backoff_yields>("backoff_yields", Whole{0, 1'000'000}),
      of_reactor<&R::huge_pages>("huge_pages", Words{kHugePagesWords}),
      of_reactor<&R::lock_memory>("lock_memory", Flag{}),
      of_reactor<&R::counters_file>("counters_file", Path{}),
      of_group<&G::name>("name", Name{}),
      of_member<&G::self>("self", Name{}),
      of_group<&G::members>("members", Names{}),
      of_group<&G::founders>("founders", Names{.empty_allowed = true}),
      of_group<&G::senders>("senders", Names{.empty_allowed = true}),
      of_group<&G::application>("application", Text{}),
      of_member<&G::addresses>("addresses", Names{.empty_allowed = true, .of_addresses = true}),
      of_group<&G::transport>("transport", Words{kTransportWords}),
      of_member<&G::key_file>("key_file", Path{}),
      of_group<&G::encryption>("encryption", Words{kEncryptionWords}),
      of_member<&G::tcp_io>("tcp_io", Words{kTcpIoWords}),
      of_member<&G::verbs_device>("verbs_device", Path{}),
      of_member<&G::verbs_gid_index>("verbs_gid_index", Whole{-1, 1'023}),
      of_member<&G::dpdk_devices>("dpdk_devices", Command{}),
      of_group<&G::dpdk_encapsulation>("dpdk_encapsulation", Words{kEncapsulationWords}),
      of_member<&G::dpdk_eal>("dpdk_eal", Command{}),
      of_member<&G::dpdk_plugin>("dpdk_plugin", Path{}),
      of_group<&G::ring_bytes>("ring_bytes", Whole{4'096, 1 << 30, true}),
      of_member<&G::join_timeout_ns>("join_timeout_ns", Whole{kMillisecond, kDay}),
      of_group<&G::heartbeat_interval_ns>("heartbeat_interval_ns",
                                          Whole{100 * kMicrosecond, 60 * kSecond}),
      of_group<&G::silence_timeout_ns>("silence_timeout_ns", Whole{kMillisecond, kDay}),
      of_group<&G::slow_lag>("slow_lag", Whole{0, 1 << 30}),
      of_group<&G::slow_timeout_ns>("slow_timeout_ns", Whole{kMillisecond, kDay}),
      of_group<&G::slow_evicts>("slow_evicts", Flag{}),
      of_member<&G::mailbox_slots>("mailbox_slots", Whole{1, 1 << 20}),
      of_member<&G::mailbox_payload_bytes>("mailbox_payload_bytes", Whole{0, 1 << 29}),
  };
  return table;
}

const Setting* find_setting(std::string_view table, std::string_view key) {
  const auto all = settings();
  const auto found = std::ranges::find_if(
      all, [&](const Setting& one) { return one.table == table && one.key == key; });
  return found == all.end() ? nullptr : &*found;
}

std::string requirement(const Rule& rule) {
  struct Describe {
    std::string operator()(Flag) const { return "must be true or false"; }
    std::string operator()(const Whole& whole) const {
      return fmt::format("must be a {} from {} to {}",
                         whole.power_of_two ? "power of two" : "whole number", whole.least,
                         whole.most);
    }
    std::string operator()(const Words& words) const {
      return fmt::format("must be one of \"{}\"", fmt::join(words.words, "\", \""));
    }
    std::string operator()(Path) const {
      return fmt::format("must be a path of at most {} characters", kMostPathCharacters);
    }
    std::string operator()(Name) const { return fmt::format("must be {}", kNameRequirement); }
    std::string operator()(Text) const {
      return fmt::format("must be at most {} printable ASCII characters", kMostTextCharacters);
    }
    std::string operator()(Command) const {
      return fmt::format("must be at most {} printable ASCII characters", kMostPathCharacters);
    }
    std::string operator()(const Names& names) const {
      if (names.of_addresses) {
        return fmt::format(
            "must be a list of 0 to {} distinct IP addresses with ports, or empty texts",
            kMaxMembers);
      }
      return fmt::format("must be a list of {} to {} distinct names, each of {}",
                         names.empty_allowed ? 0 : 1, kMaxMembers, kNameRequirement);
    }
  };
  return std::visit(Describe{}, rule);
}

std::string fault(const Setting& setting, const Value& value) {
  const auto good = [&](const auto& rule) {
    using T = std::decay_t<decltype(rule)>;
    if constexpr (std::is_same_v<T, Flag>) {
      return std::holds_alternative<bool>(value);
    } else if constexpr (std::is_same_v<T, Whole>) {
      const auto* number = std::get_if<std::int64_t>(&value);
      return number != nullptr && fits(rule, *number);
    } else if constexpr (std::is_same_v<T, Names>) {
      return std::holds_alternative<std::vector<std::string>>(value);
    } else {
      const auto* text = std::get_if<std::string>(&value);
      if (text == nullptr) return false;
      if constexpr (std::is_same_v<T, Words>) return std::ranges::count(rule.words, *text) > 0;
      if constexpr (std::is_same_v<T, Name>) return is_name(*text);
      if constexpr (std::is_same_v<T, Text>) return is_text(*text);
      if constexpr (std::is_same_v<T, Command>) return is_text(*text, kMostPathCharacters);
      return text->size() <= kMostPathCharacters && text->find('\0') == std::string::npos;
    }
  };
  if (!std::visit(good, setting.rule)) return requirement(setting.rule);
  const auto* names = std::get_if<std::vector<std::string>>(&value);
  return names == nullptr ? std::string() : names_fault(setting, *names);
}

Value from_text(const Rule& rule, std::string_view text) {
  if (std::holds_alternative<Flag>(rule) && (text == "true" || text == "false")) {
    return text == "true";
  }
  if (std::holds_alternative<Whole>(rule)) {
    std::int64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc{} && stop == end) return number;
  }
  if (std::holds_alternative<Names>(rule)) {
    std::vector<std::string> names;
    while (!text.empty()) {
      const std::size_t comma = text.find(',');
      names.emplace_back(text.substr(0, comma));
      // A comma at the end promises one more name, which is then an empty one.
      if (comma != std::string_view::npos && comma + 1 == text.size()) names.emplace_back();
      text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return names;
  }
  return std::string(text);
}

std::string to_text(const Value& value) {
  struct Write {
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const std::vector<std::string>& names) const {
      return fmt::format("{}", fmt::join(names, ","));
    }
  };
  return std::visit(Write{}, value);
}

std::optional<Problem> contradiction(const GroupConfig& config) {
  const auto problem = [](std::string_view key, std::string fault) {
    return Problem{find_setting("group", key), std::move(fault)};
  };
  if (!config.members.empty()) {
    const std::string members = fmt::format("{}", fmt::join(config.members, ", "));
    if (!config.self.empty() && !contains(config.members, config.self)) {
      return problem("self", fmt::format("must be one of group.members: {}", members));
    }
    for (const auto& [key, names] :
         {std::pair{"founders", &config.founders}, std::pair{"senders", &config.senders}}) {
      for (const std::string& name : *names) {
        if (contains(config.members, name)) continue;
        return problem(key, fmt::format("\"{}\" must be one of group.members: {}", name, members));
      }
    }
  }
  const bool needs_addresses = config.transport != "auto" && config.transport != "shm";
  if (needs_addresses && config.addresses.empty()) {
    return problem("addresses",
                   fmt::format("must name where this member listens, and others as far "
                               "as known, when group.transport is \"{}\"",
                               config.transport));
  }
  if (config.encryption == "always") {
    if (config.transport == "auto" && config.addresses.empty()) {
      return problem("encryption",
                     "cannot be \"always\" where members have no addresses: they share memory, "
                     "which cannot be encrypted; set group.addresses, and see docs/security.md");
    }
    if (config.transport == "shm" || config.transport == "verbs") {
      return problem("encryption",
                     fmt::format("cannot be \"always\" over {}: only tcp, udp and dpdk "
                                 "can encrypt; see docs/security.md",
                                 config.transport));
    }
    if (config.key_file.empty()) {
      return problem("encryption", "cannot be \"always\" without group.key_file");
    }
  }
  if (config.transport == "dpdk" && config.dpdk_devices.empty()) {
    return problem(
        "dpdk_devices",
        "must name this member's devices when group.transport is \"dpdk\"; members of one "
        "host that have none may use \"memif:NAME\"");
  }
  const bool counted = !config.members.empty() && !config.addresses.empty();
  if (counted && config.addresses.size() != config.members.size()) {
    return problem("addresses", fmt::format("must be as many as group.members: {} instead of {}",
                                            config.members.size(), config.addresses.size()));
  }
  if (counted && !config.self.empty()) {
    const auto mine = std::ranges::find(config.members, config.self) - config.members.begin();
    if (config.addresses[static_cast<std::size_t>(mine)].empty()) {
      return problem("addresses", fmt::format("must name where this member, '{}', listens: only "
                                              "others' addresses can be learnt",
                                              config.self));
    }
  }
  // Fewer would take a member for lost that was merely not scheduled.
  constexpr std::uint64_t kLeastHeartbeats = 10;
  if (config.silence_timeout_ns / kLeastHeartbeats < config.heartbeat_interval_ns) {
    return problem("silence_timeout_ns",
                   fmt::format("must be at least {} times heartbeat_interval_ns, which is {}",
                               kLeastHeartbeats, config.heartbeat_interval_ns));
  }
  constexpr std::uint64_t kMostMailboxBytes = std::uint64_t{1} << 30;
  const std::uint64_t mailbox_bytes =
      std::uint64_t{config.mailbox_slots} * config.mailbox_payload_bytes;
  if (mailbox_bytes > kMostMailboxBytes) {
    return problem("mailbox_slots",
                   fmt::format("times mailbox_payload_bytes ({}) is {} bytes: must be at most {}",
                               config.mailbox_payload_bytes, mailbox_bytes, kMostMailboxBytes));
  }
  return std::nullopt;
}

}  // namespace lockstep::runtime

namespace lockstep {

std::string_view to_string(IdlePolicy policy) noexcept {
  const std::size_t index = std::to_underlying(policy);
  return index < runtime::kIdleWords.size() ? runtime::kIdleWords[index] : "unknown";
}

}  // namespace lockstep
