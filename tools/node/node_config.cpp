#include "tools/node/node_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace lockstep::node {
namespace {

constexpr std::string_view kSelf = "{self}";
constexpr std::uint32_t kMostBookOrders = 1U << 30U;

std::unexpected<Error> wrong(std::string message) {
  return fail(ErrorCode::configuration, std::move(message));
}

std::string with_self(std::string text, const std::string& self) {
  for (std::size_t at; (at = text.find(kSelf)) != std::string::npos;) {
    text.replace(at, kSelf.size(), self);
  }
  return text;
}

Expected<void> apply_application(const ProgramSetting& setting, NodeConfig& config) {
  if (setting.value == "kv") return {};
  if (setting.value != "matching_engine") {
    return wrong(fmt::format("{}: must be \"kv\" or \"matching_engine\"", setting.origin));
  }
  config.application = ApplicationKind::matching_engine;
  return {};
}

Expected<void> apply_book_orders(const ProgramSetting& setting, NodeConfig& config) {
  if (config.application != ApplicationKind::matching_engine) {
    return wrong(fmt::format("{}: only with application = \"matching_engine\"", setting.origin));
  }
  const std::string& text = setting.value;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), config.book_orders);
  if (error == std::errc() && end == text.data() + text.size() && config.book_orders >= 1 &&
      config.book_orders <= kMostBookOrders) {
    return {};
  }
  return wrong(fmt::format("{}: must be 1 to {}", setting.origin, kMostBookOrders));
}

/// What the members compare when they meet: founders with other applications would all begin with
/// no state, and apply the same requests to different effect.
std::string terms_of(const NodeConfig& config) {
  if (config.application == ApplicationKind::kv) return "node: kv";
  return fmt::format("node: matching_engine of {} orders", config.book_orders);
}

/// In alphabetical order: the application is known before what only it has.
Expected<void> apply(const ProgramSetting& setting, NodeConfig& config) {
  if (setting.key == "application") return apply_application(setting, config);
  if (setting.key == "book_orders") return apply_book_orders(setting, config);
  if (setting.key != "listen") {
    return wrong(
        fmt::format("{}: not known; allowed: application, book_orders, listen", setting.origin));
  }
  auto address = parse_address(with_self(setting.value, config.member.group.self));
  if (!address) return wrong(fmt::format("{}: {}", setting.origin, address.error().message));
  config.listen = std::move(*address);
  return {};
}

Expected<void> check_self(const std::string& path, const GroupConfig& group) {
  if (std::ranges::find(group.members, group.self) != group.members.end()) return {};
  return wrong(
      fmt::format("{}: group.self is '{}', which is not among group.members; set it, or "
                  "name the member with --self",
                  path, group.self));
}

}  // namespace

Expected<NodeConfig> load_node_config(const std::string& path, const std::string& self) {
  std::vector<ProgramSetting> settings;
  auto loaded = load_config(path, "node", settings);
  if (!loaded) return std::unexpected(loaded.error());
  NodeConfig config;
  config.member = std::move(*loaded);
  GroupConfig& group = config.member.group;
  if (!self.empty()) group.self = self;
  if (auto known = check_self(path, group); !known) return std::unexpected(known.error());
  std::string& counters_file = config.member.reactor.counters_file;
  counters_file = with_self(std::move(counters_file), group.self);
  for (const ProgramSetting& setting : settings) {
    if (auto applied = apply(setting, config); !applied) return std::unexpected(applied.error());
  }
  if (config.listen.text.empty()) {
    return wrong(
        fmt::format("{}: node.listen is missing: where clients connect, as "
                    "listen = \"127.0.0.1:7100\" in the table [node]",
                    path));
  }
  if (!group.application.empty()) {
    return wrong(fmt::format(
        "{}: group.application = \"{}\": leave it out; a node fills it in from the table [node]",
        path, group.application));
  }
  group.application = terms_of(config);
  return config;
}

}  // namespace lockstep::node
