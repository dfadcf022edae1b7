#include "membership/introduction.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <optional>
#include <set>

namespace lockstep::membership {
namespace {

template <class Number>
std::optional<Number> parse(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Cuts `text` at the first `separator`; what follows stays in `text`.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return head;
}

std::optional<std::vector<std::uint32_t>> parse_list(std::string_view text) {
  std::vector<std::uint32_t> list;
  while (!text.empty()) {
    const auto number = parse<std::uint32_t>(cut(text, ','));
    if (!number) return std::nullopt;
    list.push_back(*number);
  }
  return list;
}

}  // namespace

std::string Introduction::encode() const {
  return fmt::format("{}\n{}\n{}\n{}\n{}", nonce, host, reactor, fmt::join(cpus, ","), settings);
}

Expected<Introduction> Introduction::decode(std::string_view text) {
  const auto nonce = parse<std::uint64_t>(cut(text, '\n'));
  const std::string_view host = cut(text, '\n');
  const std::string_view reactor = cut(text, '\n');
  auto cpus = parse_list(cut(text, '\n'));
  if (!nonce || !cpus) {
    return fail(ErrorCode::mismatch,
                "a member introduced itself in a form this build does not know; run the same "
                "build everywhere");
  }
  return Introduction{.nonce = *nonce,
                      .host = std::string(host),
                      .reactor = std::string(reactor),
                      .cpus = std::move(*cpus),
                      .settings = std::string(text)};
}

HostLoad host_load(const std::vector<Introduction>& introductions, const std::string& host) {
  std::set<std::string> reactors;
  std::set<std::uint32_t> cpus;
  for (const Introduction& introduction : introductions) {
    if (introduction.host != host) continue;
    reactors.insert(introduction.reactor);
    cpus.insert(introduction.cpus.begin(), introduction.cpus.end());
  }
  return {.reactors = reactors.size(), .cpus = cpus.size()};
}

}  // namespace lockstep::membership
