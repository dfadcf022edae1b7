#include <memory>
#include <string>

#include "tools/commands.hpp"
#include "tools/node/run_node.hpp"

namespace lockstep::tools {
namespace {

struct NodeArguments {
  std::string file;
  std::string self;
};

void run(const NodeArguments& arguments) {
  const auto config = node::load_node_config(arguments.file, arguments.self);
  if (!config) {
    end_program(config.error().code == ErrorCode::configuration ? kMisused : kFailed,
                config.error().message);
  }
  if (auto lived = node::run_node(*config); !lived) end_program(kFailed, lived.error().message);
}

}  // namespace

void add_node(CLI::App& app) {
  const auto arguments = std::make_shared<NodeArguments>();
  CLI::App* command = app.add_subcommand(
      "node", "Run one member of a replicated key-value store or matching engine (docs/node.md)");
  command->add_option("CONFIG", arguments->file, "TOML file: tables [reactor], [group], [node]")
      ->required();
  command->add_option("--self", arguments->self,
                      "which of group.members this is, in place of group.self");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lockstep::tools
