#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>

#include "lockstep/config.hpp"
#include "runtime/settings.hpp"

namespace lockstep {
namespace {

using runtime::Setting;
using runtime::Value;

/// A table that is the program's own, and where its keys go.
struct ProgramTable {
  std::string_view name;
  std::vector<ProgramSetting>& settings;
};
/// A configuration is a page; this stops at a device or a wrong file.
constexpr std::size_t kMostFileBytes = std::size_t{1} << 20;
constexpr std::string_view kVariablePrefix = "LOCKSTEP_";

/// Where each setting got its value, as the beginning of a message: `group.toml:3: group.core = 1`.
using Origins = std::map<const Setting*, std::string>;

std::unexpected<Error> wrong(std::string message) {
  return fail(ErrorCode::configuration, std::move(message));
}

Expected<std::string> read_file(const std::string& path) {
  const auto unreadable = [&](int error) {
    return fail(ErrorCode::system, fmt::format("configuration file {}: cannot read it: {}", path,
                                               std::strerror(error)));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (file == nullptr) return unreadable(errno);
  std::string text(kMostFileBytes + 1, '\0');
  const std::size_t got = std::fread(text.data(), 1, text.size(), file.get());
  if (std::ferror(file.get()) != 0) return unreadable(errno);
  if (got > kMostFileBytes) {
    return wrong(fmt::format("configuration file {}: longer than {} bytes", path, kMostFileBytes));
  }
  text.resize(got);
  return text;
}

/// Insertions, deletions and substitutions between two words (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, substituted}));
    }
  }
  return row.back();
}

/// "; did you mean 'ring_bytes'?" where one of `known` is close to `word`, else ";".
std::string suggestion(std::string_view word, std::span<const std::string> known) {
  const auto nearest = std::ranges::min_element(
      known, {}, [&](const std::string& one) { return distance(word, one); });
  const bool close = distance(word, *nearest) <= std::max<std::size_t>(2, word.size() / 3);
  return close ? fmt::format("; did you mean '{}'?", *nearest) : ";";
}

std::vector<std::string> keys_of(std::string_view table) {
  std::vector<std::string> keys;
  for (const Setting& setting : runtime::settings()) {
    if (setting.table == table) keys.emplace_back(setting.key);
  }
  return keys;
}

std::string place(const std::string& path, const toml::source_region& source) {
  return fmt::format("{}:{}: ", path, source.begin.line);
}

/// The node as a Value; nothing where no setting has such a type (a date, a float, a table).
std::optional<Value> to_value(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* text = node.as_string()) return text->get();
  const toml::array* array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::string> names;
  for (const toml::node& element : *array) {
    const auto* name = element.as_string();
    if (name == nullptr) return std::nullopt;
    names.push_back(name->get());
  }
  return names;
}

/// "group.ring_bytes = 1000"; without the value where that is a list or a table.
std::string assignment(std::string_view table, std::string_view key, const toml::node& node) {
  std::ostringstream text;
  text << table << '.' << key;
  if (node.is_value()) {
    text << " = ";
    node.visit([&](const auto& value) { text << value; });
  }
  return text.str();
}

Expected<void> apply_key(const std::string& path, std::string_view table, const toml::key& key,
                         const toml::node& node, Config& config, Origins& origins) {
  const Setting* setting = runtime::find_setting(table, key.str());
  if (setting == nullptr) {
    const std::vector<std::string> known = keys_of(table);
    return wrong(fmt::format("{}key '{}' in [{}] is not known{} allowed: {}",
                             place(path, key.source()), key.str(), table,
                             suggestion(key.str(), known), fmt::join(known, ", ")));
  }
  const std::string origin = place(path, key.source()) + assignment(table, key.str(), node);
  const std::optional<Value> value = to_value(node);
  const std::string fault =
      value ? runtime::fault(*setting, *value) : runtime::requirement(setting->rule);
  if (!fault.empty()) return wrong(fmt::format("{}: {}", origin, fault));
  setting->set(config, *value);
  origins[setting] = origin;
  return {};
}

Expected<void> take_key(const std::string& path, const toml::key& key, const toml::node& node,
                        const ProgramTable& program) {
  const std::string origin = place(path, key.source()) + assignment(program.name, key.str(), node);
  const std::optional<Value> value = to_value(node);
  if (!value) {
    return wrong(origin + ": must be a text, a whole number, true or false, or a list of texts");
  }
  program.settings.push_back({std::string(key.str()), runtime::to_text(*value), origin});
  return {};
}

Expected<void> apply_file(const std::string& path, const toml::table& file, Config& config,
                          Origins& origins, const ProgramTable* program) {
  std::vector<std::string> known = {"reactor", "group"};
  if (program != nullptr) known.emplace_back(program->name);
  for (const auto& [name, node] : file) {
    const std::string where = place(path, name.source());
    const toml::table* table = node.as_table();
    if (std::ranges::count(known, name.str()) == 0) {
      return wrong(fmt::format("{}{} is not known{} allowed: [{}]", where,
                               table == nullptr
                                   ? fmt::format("key '{}' outside of a table", name.str())
                                   : fmt::format("table [{}]", name.str()),
                               suggestion(name.str(), known), fmt::join(known, "], [")));
    }
    if (table == nullptr) {
      return wrong(fmt::format("{}'{}' must be a table: [{}]", where, name.str(), name.str()));
    }
    const bool own = program != nullptr && name.str() == program->name;
    for (const auto& [key, value] : *table) {
      auto applied = own ? take_key(path, key, value, *program)
                         : apply_key(path, name.str(), key, value, config, origins);
      if (!applied) return applied;
    }
  }
  return {};
}

std::string variable_name(const Setting& setting) {
  std::string name = fmt::format("{}{}_{}", kVariablePrefix, setting.table, setting.key);
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return name;
}

bool is_ours(std::string_view variable) {
  return variable.starts_with("LOCKSTEP_REACTOR_") || variable.starts_with("LOCKSTEP_GROUP_");
}

Expected<void> apply_environment(Config& config, Origins& origins) {
  std::map<std::string, const Setting*, std::less<>> known;
  for (const Setting& setting : runtime::settings()) known[variable_name(setting)] = &setting;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    const std::size_t equals = line.find('=');
    const std::string_view name = line.substr(0, equals);
    if (equals == std::string_view::npos || !is_ours(name)) continue;
    const auto found = known.find(name);
    if (found == known.end()) {
      std::vector<std::string> names;
      for (const auto& [one, setting] : known) names.push_back(one);
      return wrong(fmt::format("environment variable {} is not known{} allowed: {}", name,
                               suggestion(name, names), fmt::join(names, ", ")));
    }
    const Setting& setting = *found->second;
    const Value value = runtime::from_text(setting.rule, line.substr(equals + 1));
    const std::string origin = fmt::format("environment variable {}", line);
    if (const std::string fault = runtime::fault(setting, value); !fault.empty()) {
      return wrong(fmt::format("{}: {}", origin, fault));
    }
    setting.set(config, value);
    origins[&setting] = origin;
  }
  return {};
}

Expected<Config> build(const std::string& path, const std::string& text,
                       const ProgramTable* program) {
  Config config;
  Origins origins;
  const toml::table file = toml::parse(text, path);
  if (auto applied = apply_file(path, file, config, origins, program); !applied) {
    return std::unexpected(applied.error());
  }
  if (auto applied = apply_environment(config, origins); !applied) {
    return std::unexpected(applied.error());
  }
  if (const auto problem = runtime::contradiction(config.group)) {
    const Setting& setting = *problem->setting;
    // A default can be at fault too, when another setting moved away from it.
    const auto origin = origins.find(&setting);
    return wrong(fmt::format("{}: {}",
                             origin != origins.end()
                                 ? origin->second
                                 : fmt::format("{}: {}.{} = {} (its default)", path, setting.table,
                                               setting.key, runtime::to_text(setting.get(config))),
                             problem->fault));
  }
  return config;
}

Expected<Config> load(const std::string& path, const ProgramTable* program) {
  auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  try {
    return build(path, *text, program);
  } catch (const toml::parse_error& error) {
    return wrong(place(path, error.source()) + std::string(error.description()));
  }
}

}  // namespace

Expected<Config> load_config(const std::string& path) { return load(path, nullptr); }

Expected<Config> load_config(const std::string& path, std::string_view table,
                             std::vector<ProgramSetting>& settings) {
  settings.clear();
  const ProgramTable program{table, settings};
  return load(path, &program);
}

}  // namespace lockstep
