#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lockstep::bench {

/// One subject figure beside the floor figure of the block next to it in time. Zero: not measured
/// (a warm-up block, a member that sent nothing, a floor block cut short).
struct BlockPair {
  double subject = 0;
  double floor = 0;
};

/// The middle value; the mean of the two in the middle for an even count. Nothing of nothing.
std::optional<double> median(std::vector<double> values);

/// The median over all measured blocks of subject ÷ floor.
///
/// Why not the ratio of two medians: where the host places the two CPUs changes the floor by a
/// factor of four, between runs and within one. Neighbouring blocks see the same placement, so
/// their ratio is a property of the program.
std::optional<double> median_ratio(std::span<const BlockPair> blocks);

}  // namespace lockstep::bench
