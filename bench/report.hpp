#pragma once

#include <string>
#include <string_view>

#include "bench/result.hpp"
#include "lockstep/error.hpp"

namespace lockstep::bench {

/// The report as JSON, in the form that docs/bench.md gives. Ends with a newline.
std::string to_json(const Report& report);

/// Reads what to_json wrote. Unknown keys are ignored, missing ones are errors. Errors: input,
/// naming what is wrong.
Expected<Report> from_json(std::string_view text);

/// The report for people.
std::string to_table(const Report& report);

/// One result of latency or throughput as one line that ends with a newline, for tables of many;
/// and what stands above such lines.
std::string to_line(const Result& result);
std::string line_heading();
std::string to_line(const Comparison& comparison);
std::string comparison_heading();

}  // namespace lockstep::bench
