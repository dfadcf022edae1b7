#pragma once

#include <vector>

#include "bench/options.hpp"
#include "bench/result.hpp"
#include "lockstep/error.hpp"

namespace lockstep::bench {

/// Latency over a network that loses packets, beside the same without loss: two results, the
/// loss-free one first. Members are apart; rules of the switch between them (nftables) drop
/// `loss_percent` of all packets at random, in both directions of every link. Loss-free and lossy
/// runs take turns, half of `seconds` each. Errors: as of run(); not_supported where network
/// namespaces cannot be made.
Expected<std::vector<Result>> run_loss(const Options& options);

/// Latency over encrypted links, beside the same in the clear: two results, the clear one first.
/// `options.encryption` is "always". They take turns, half of `seconds` each. Errors: as of run().
Expected<std::vector<Result>> run_encryption(const Options& options);

}  // namespace lockstep::bench
