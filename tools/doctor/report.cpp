#include "tools/doctor/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace lockstep::doctor {

std::string to_text(std::span<const Finding> findings) {
  std::size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, finding.id.size());
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("{:<7}  {:<{}}  {}\n", to_string(finding.severity), finding.id, width,
                        finding.found);
    if (finding.severity == Severity::ok) continue;
    text += fmt::format("{:9}wanted: {}\n{:9}mend:   {}\n", "", finding.wanted, "", finding.mend);
  }
  const auto count = [&](Severity severity) {
    return std::ranges::count(findings, severity, &Finding::severity);
  };
  text += fmt::format("error {}, warning {}, note {}, ok {}\n", count(Severity::error),
                      count(Severity::warning), count(Severity::note), count(Severity::ok));
  return text;
}

std::string to_json(std::span<const Finding> findings) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"id", finding.id},
                    {"severity", to_string(finding.severity)},
                    {"found", finding.found},
                    {"wanted", finding.wanted},
                    {"mend", finding.mend}});
  }
  // File names and messages are the system's; whatever they hold, this is JSON.
  return list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace lockstep::doctor
