#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/commands.hpp"
#include "tools/launch/whole_file.hpp"
#include "tools/node/status.hpp"

namespace lockstep::tools {
namespace {

struct StatusArguments {
  std::string file;
  std::string json;
};

nlohmann::json to_json(const node::GroupStatus& group) {
  nlohmann::json members = nlohmann::json::array();
  for (const node::MemberStatus& member : group.members) {
    members.push_back({{"name", member.name},
                       {"rank", member.rank ? nlohmann::json(*member.rank) : nlohmann::json()},
                       {"lag", member.lag},
                       {"unreachable", member.unreachable},
                       {"medium", member.medium},
                       {"passed_over", member.passed_over},
                       {"stalls", member.stalls}});
  }
  return {{"name", group.name},
          {"view", group.view},
          {"my_rank", group.my_rank},
          {"primary", group.primary},
          {"members", std::move(members)},
          {"frames_delivered", group.frames_delivered},
          {"frames_sent", group.frames_sent},
          {"stalls_ring_full", group.stalls_ring_full},
          {"stalls_link_full", group.stalls_link_full}};
}

void write_json(const StatusArguments& arguments, const node::Writer& writer,
                const std::vector<node::GroupStatus>& groups) {
  nlohmann::json report = {{"pid", writer.pid}, {"stale", !writer.is_alive}};
  report["groups"] = nlohmann::json::array();
  for (const node::GroupStatus& group : groups) report["groups"].push_back(to_json(group));
  const auto written = launch::write_whole(arguments.json, report.dump(2) + "\n");
  if (!written) end_program(kFailed, written.error().message);
}

void show(const StatusArguments& arguments) {
  const auto readings = read_counters(arguments.file);
  if (!readings) end_program(kFailed, readings.error().message);
  const auto writer = node::writer_of(arguments.file);
  if (!writer) end_program(kFailed, writer.error().message);
  const auto groups = node::groups_in(*readings);
  if (!arguments.json.empty()) {
    write_json(arguments, *writer, groups);
  } else {
    for (const node::GroupStatus& group : groups) fmt::print("{}", node::to_text(group));
  }
  if (!writer->is_alive) {
    end_program(kFailed,
                fmt::format("{} is stale: process {}, which wrote it, is gone; these are its last "
                            "values",
                            arguments.file, writer->pid));
  }
  if (groups.empty()) {
    end_program(kFailed, fmt::format("process {} writes {} and is in no group yet", writer->pid,
                                     arguments.file));
  }
}

}  // namespace

void add_status(CLI::App& app) {
  const auto arguments = std::make_shared<StatusArguments>();
  CLI::App* command = app.add_subcommand(
      "status", "Show views, ranks, lags and who is unreachable, of a running member");
  command->add_option("FILE", arguments->file, "its counters file (reactor.counters_file)")
      ->required();
  command->add_option("--json", arguments->json, "write it to this file instead, as JSON");
  command->callback([arguments] { show(*arguments); });
}

}  // namespace lockstep::tools
