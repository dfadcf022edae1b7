#include <fmt/format.h>

#include "lockstep/config.hpp"
#include "runtime/settings.hpp"

namespace lockstep {
namespace {

std::unexpected<Error> refuse(const runtime::Problem& problem, const Config& config) {
  const runtime::Setting& setting = *problem.setting;
  const runtime::Value value = setting.get(config);
  // A list may be long, and its fault names the element.
  const bool show = !std::holds_alternative<std::vector<std::string>>(value);
  const bool quote = std::holds_alternative<std::string>(value);
  return fail(ErrorCode::configuration,
              fmt::format("{}.{}{}{}: {}", setting.table, setting.key, show ? " = " : "",
                          !show   ? std::string()
                          : quote ? fmt::format("\"{}\"", runtime::to_text(value))
                                  : runtime::to_text(value),
                          problem.fault));
}

Expected<void> validate_table(const Config& config, std::string_view table) {
  for (const runtime::Setting& setting : runtime::settings()) {
    if (setting.table != table) continue;
    std::string fault = runtime::fault(setting, setting.get(config));
    if (!fault.empty()) return refuse({&setting, std::move(fault)}, config);
  }
  return {};
}

}  // namespace

Expected<void> validate(const GroupConfig& group) {
  Config config;
  config.group = group;
  if (auto valid = validate_table(config, "group"); !valid) return valid;
  if (const auto problem = runtime::contradiction(group)) return refuse(*problem, config);
  return {};
}

Expected<void> validate(const ReactorConfig& reactor) {
  Config config;
  config.reactor = reactor;
  return validate_table(config, "reactor");
}

}  // namespace lockstep
