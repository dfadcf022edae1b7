#pragma once

#include <string>

#include "bench/result.hpp"

namespace lockstep::bench {

/// The report as one HTML page for people: machine, commit, command and load; a table for each
/// scenario, the floor and the ratio beside each figure; a plot of each latency by percentile, the
/// subject beside its floor; and by name whatever could not run. The page is one file that needs no
/// other: plots are inline SVG, and there are no scripts. Every text in it is escaped.
std::string to_page(const Report& report);

}  // namespace lockstep::bench
