#include "tools/report_files.hpp"

#include <fstream>

#include "bench/page.hpp"
#include "bench/report.hpp"
#include "tools/commands.hpp"
#include "tools/launch/whole_file.hpp"

namespace lockstep::tools {
namespace {

/// The command line that runs now, as the kernel keeps it (proc(5)); without the program's folder.
std::string command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string text;
  for (std::string word; std::getline(file, word, '\0');) {
    if (text.empty()) word = word.substr(word.rfind('/') + 1);
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

void write_if_wanted(const std::string& path, const std::string& text) {
  if (path.empty()) return;
  const auto written = launch::write_whole(path, text);
  if (!written) end_program(kFailed, written.error().message);
}

}  // namespace

void ReportFiles::add_to(CLI::App& command) {
  command.add_option("--json", json_file, "also write the report to this file");
  command.add_option("--report", page_file,
                     "also write it to this file, as a page for people (HTML)");
}

void ReportFiles::write(bench::Report& report) const {
  report.command = command_line();
  write_if_wanted(json_file, bench::to_json(report));
  write_if_wanted(page_file, bench::to_page(report));
}

}  // namespace lockstep::tools
