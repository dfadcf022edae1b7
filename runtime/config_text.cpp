#include "runtime/config_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/settings.hpp"

namespace lockstep::runtime {
namespace {

struct Line {
  std::string_view key;
  std::string_view value;
};

/// Takes the first line off `text`.
Line take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return {line, {}};
  return {line.substr(0, equals), line.substr(equals + 1)};
}

std::optional<std::string_view> find_value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const Line line = take_line(text);
    if (line.key == key) return line.value;
  }
  return std::nullopt;
}

/// Text of a peer, fit for a message.
std::string shown(std::optional<std::string_view> value) {
  if (!value) return "not stated";
  if (value->empty()) return "empty";
  constexpr std::size_t kMostCharacters = 4'096;
  std::string text(value->substr(0, kMostCharacters));
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

std::string difference(std::string_view key, std::optional<std::string_view> mine,
                       std::optional<std::string_view> theirs) {
  return fmt::format("{} is {} here and {} there", shown(key), shown(mine), shown(theirs));
}

}  // namespace

std::string canonical_text(const GroupConfig& group) {
  Config config;
  config.group = group;
  for (std::vector<std::string>* const named : {&config.group.founders, &config.group.senders}) {
    const std::vector<std::string> chosen = std::exchange(*named, {});
    for (const std::string& member : group.members) {
      const bool is_one = chosen.empty() || std::ranges::count(chosen, member) > 0;
      if (is_one) named->push_back(member);
    }
  }
  std::string text;
  for (const Setting& setting : settings()) {
    if (!setting.agreed) continue;
    text += fmt::format("{}={}\n", setting.key, to_text(setting.get(config)));
  }
  return text;
}

std::string first_difference(std::string_view mine, std::string_view theirs) {
  if (mine == theirs) return {};
  for (std::string_view rest = mine; !rest.empty();) {
    const Line line = take_line(rest);
    const auto other = find_value(theirs, line.key);
    if (other != line.value) return difference(line.key, line.value, other);
  }
  for (std::string_view rest = theirs; !rest.empty();) {
    const Line line = take_line(rest);
    if (!find_value(mine, line.key)) return difference(line.key, std::nullopt, line.value);
  }
  return "the same settings are in another order or repeated there";
}

}  // namespace lockstep::runtime
