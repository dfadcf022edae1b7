#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tools/commands.hpp"
#include "tools/doctor/examine.hpp"
#include "tools/doctor/report.hpp"
#include "tools/doctor/system_probes.hpp"
#include "tools/doctor/transport_checks.hpp"

namespace lockstep::tools {
namespace {

struct DoctorArguments {
  bool json = false;
  std::string transport;
  std::string cores;
  std::uint32_t reactors = 1;
  std::string root;
};

doctor::Plan plan_of(const DoctorArguments& arguments) {
  const auto cores = doctor::CpuList::parse(arguments.cores);
  if (!cores) {
    end_program(kMisused, fmt::format("--cores {}: that is no list of CPUs; write one like 2-3,8",
                                      arguments.cores));
  }
  return {.cores = *cores, .reactors = arguments.reactors};
}

void examine(const DoctorArguments& arguments) {
  const doctor::Plan plan = plan_of(arguments);
  const doctor::Tree tree(arguments.root);
  doctor::SystemProbes real;
  doctor::NoProbes none;
  doctor::Probes& probes = tree.is_this_machine() ? static_cast<doctor::Probes&>(real) : none;
  const auto findings = doctor::examine(tree, probes, plan, arguments.transport);
  fmt::print("{}", arguments.json ? doctor::to_json(findings) : doctor::to_text(findings));
  if (arguments.transport.empty()) return;
  const auto verdict =
      std::ranges::find(findings, "transport_" + arguments.transport, &doctor::Finding::id);
  if (verdict != findings.end() && verdict->severity == doctor::Severity::ok) return;
  end_program(kFailed, fmt::format("{} cannot run here: {}", arguments.transport,
                                   verdict == findings.end() ? "unknown" : verdict->found));
}

}  // namespace

void add_doctor(CLI::App& app) {
  const auto arguments = std::make_shared<DoctorArguments>();
  CLI::App* command = app.add_subcommand(
      "doctor", "Say what this machine can do, and what to change for low latency");
  const std::vector<std::string> transports(doctor::kTransports.begin(), doctor::kTransports.end());
  command->add_flag("--json", arguments->json, "print a list of findings, as JSON");
  command
      ->add_option("--transport", arguments->transport,
                   "only what bears on it; fail unless it can run here")
      ->check(CLI::IsMember(transports));
  command->add_option("--cores", arguments->cores,
                      "the CPUs that reactors are pinned to, such as 2-3 (default: the isolated)");
  command
      ->add_option("--reactors", arguments->reactors,
                   "reactors of all members on this host together")
      ->check(CLI::Range(1U, doctor::CpuList::kPastCpus))
      ->capture_default_str();
  command
      ->add_option("--root", arguments->root,
                   "read /proc and /sys below this folder, another machine's; nothing is tried")
      ->check(CLI::ExistingDirectory);
  command->callback([arguments] { examine(*arguments); });
}

}  // namespace lockstep::tools
