#include "transports/hello/refusals.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep::transports {

void Refusals::add(const std::string& address, const std::string& reason) {
  ++total_;
  auto found = std::ranges::find(from_, address, &From::address);
  if (found == from_.end()) {
    if (from_.size() == kMostAddresses) return;
    found = from_.insert(found, {.address = address, .reason = reason});
  }
  ++found->count;
}

std::vector<std::string> Refusals::notices() const {
  std::vector<std::string> lines;
  std::uint64_t told = 0;
  for (const From& from : from_) {
    told += from.count;
    lines.push_back(from.count == 1 ? fmt::format("refused a connection from {}: it {}",
                                                  from.address, from.reason)
                                    : fmt::format("refused {} connections from {}: the first {}",
                                                  from.count, from.address, from.reason));
  }
  if (told < total_) {
    lines.push_back(fmt::format("refused {} connections from other addresses", total_ - told));
  }
  return lines;
}

}  // namespace lockstep::transports
