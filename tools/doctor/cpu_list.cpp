#include "tools/doctor/cpu_list.hpp"

#include <fmt/format.h>

#include <charconv>

namespace lockstep::doctor {
namespace {

/// The number that all of `text` is, if it may be a CPU's.
std::optional<std::uint32_t> parse_cpu(std::string_view text) {
  std::uint32_t cpu = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cpu);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (cpu >= CpuList::kPastCpus) return std::nullopt;
  return cpu;
}

}  // namespace

std::optional<CpuList> CpuList::parse(std::string_view text) {
  CpuList list;
  if (text.empty() || text == "(null)") return list;
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    more = comma != std::string_view::npos;
    const std::string_view range = text.substr(0, comma);
    if (more) text.remove_prefix(comma + 1);
    const std::size_t dash = range.find('-');
    const auto first = parse_cpu(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_cpu(range.substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    for (std::uint32_t cpu = *first; cpu <= *last; ++cpu) list.add(cpu);
  }
  return list;
}

void CpuList::add(std::uint32_t cpu) {
  if (cpu < kPastCpus) has_[cpu] = true;
}

bool CpuList::contains(std::uint32_t cpu) const { return cpu < kPastCpus && has_[cpu]; }

bool CpuList::contains_all_of(const CpuList& others) const { return others.without(*this).empty(); }

CpuList CpuList::common_with(const CpuList& others) const {
  CpuList common;
  for (std::uint32_t cpu : cpus()) {
    if (others.contains(cpu)) common.add(cpu);
  }
  return common;
}

CpuList CpuList::without(const CpuList& others) const {
  CpuList rest;
  for (std::uint32_t cpu : cpus()) {
    if (!others.contains(cpu)) rest.add(cpu);
  }
  return rest;
}

std::vector<std::uint32_t> CpuList::cpus() const {
  std::vector<std::uint32_t> all;
  for (std::uint32_t cpu = 0; cpu < kPastCpus; ++cpu) {
    if (has_[cpu]) all.push_back(cpu);
  }
  return all;
}

std::string CpuList::text() const {
  std::string text;
  for (std::uint32_t cpu = 0; cpu < kPastCpus; ++cpu) {
    if (!has_[cpu]) continue;
    const std::uint32_t first = cpu;
    while (contains(cpu + 1)) ++cpu;
    text += fmt::format("{}{}", text.empty() ? "" : ",", first);
    if (cpu > first) text += fmt::format("-{}", cpu);
  }
  return text;
}

}  // namespace lockstep::doctor
