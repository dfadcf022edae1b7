#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lockstep/config.hpp"

namespace lockstep::runtime {

/// The one table of all settings: it drives the file, the environment, validate() and what
/// members compare when they connect.

/// A setting's value, whatever its field's type. Enumerations are words. Unsigned numbers beyond
/// 2^63 - 1 appear as 2^63 - 1, which no rule allows.
using Value = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

/// What is allowed.
struct Flag {};
struct Whole {
  std::int64_t least = 0;
  std::int64_t most = 0;
  bool power_of_two = false;
};
struct Words {
  std::span<const std::string_view> words;
};
struct Path {};
struct Name {};
struct Text {};     ///< for people
struct Command {};  ///< several words for another program
struct Names {
  bool empty_allowed = false;
  bool of_addresses = false;  ///< IP addresses with ports instead of names; empty: not known
};
using Rule = std::variant<Flag, Whole, Words, Path, Name, Text, Command, Names>;

struct Setting {
  std::string_view table;  ///< "reactor" or "group"
  std::string_view key;    ///< the field's name
  Rule rule;
  /// All members of a group must have the same value.
  bool agreed = false;
  Value (*get)(const Config&) = nullptr;
  /// `value` must satisfy the rule.
  void (*set)(Config&, const Value& value) = nullptr;
};

/// In the order of the fields in lockstep/config.hpp.
[[nodiscard]] std::span<const Setting> settings();

/// Null when there is none.
[[nodiscard]] const Setting* find_setting(std::string_view table, std::string_view key);

/// "must be a power of two from 4096 to 1073741824".
[[nodiscard]] std::string requirement(const Rule& rule);

/// What is wrong with `value`, as the end of a message; empty if nothing is.
[[nodiscard]] std::string fault(const Setting& setting, const Value& value);

/// `text` as the environment gives it, lists separated by commas. A value of another type than the
/// rule wants (which `fault` then refuses) where it cannot be read as one.
[[nodiscard]] Value from_text(const Rule& rule, std::string_view text);

/// The reverse: lists separated by commas, words and names bare.
[[nodiscard]] std::string to_text(const Value& value);

/// A setting that cannot stand, and why.
struct Problem {
  const Setting* setting = nullptr;
  std::string fault;
};

/// Settings that are fine one by one and do not fit together. An empty `self` or `members` is not
/// held against the rest: a file may leave them to the program.
[[nodiscard]] std::optional<Problem> contradiction(const GroupConfig& config);

}  // namespace lockstep::runtime
