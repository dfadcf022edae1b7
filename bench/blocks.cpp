#include "bench/blocks.hpp"

#include <algorithm>
#include <cstddef>

namespace lockstep::bench {

std::optional<double> median(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

std::optional<double> median_ratio(std::span<const BlockPair> blocks) {
  std::vector<double> ratios;
  for (const BlockPair& block : blocks) {
    if (block.subject > 0 && block.floor > 0) ratios.push_back(block.subject / block.floor);
  }
  return median(std::move(ratios));
}

}  // namespace lockstep::bench
