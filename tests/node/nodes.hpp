#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/bench/program.hpp"
#include "tests/node/running_node.hpp"
#include "tools/launch/local_addresses.hpp"

namespace lockstep::test {

/// How a command ended, and all that it wrote.
struct Said {
  int status = -1;
  std::string output;
};

/// A group of a, b and c, over the medium that the parameter names.
class Nodes : public testing::TestWithParam<const char*> {
 protected:
  Nodes() {
    std::string name = testing::TempDir() + "lockstep-node-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    const std::string medium = GetParam();
    if (medium == "shm") return;
    const std::string family = medium == "auto" ? "tcp" : medium;
    addresses_ = fmt::format("addresses = [\"{}\"]\n",
                             fmt::join(launch::local_addresses(family, 3, {}).value(), "\", \""));
  }
  ~Nodes() override {
    nodes_.clear();
    std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

  void write_config(const std::string& more_of_group = "",
                    const std::string& more_of_node = "") const {
    std::ofstream(path("group.toml"))
        << "[reactor]\nidle = \"backoff\"\ncounters_file = \"" << path("{self}.counters")
        << "\"\n[group]\nname = \"node-" << ::getpid()
        << "\"\nmembers = [\"a\", \"b\", \"c\"]\nring_bytes = 65_536\ntransport = \"" << GetParam()
        << "\"\n"
        << addresses_ << more_of_group << "[node]\nlisten = \"" << path("{self}.sock") << "\"\n"
        << more_of_node;
  }

  RunningNode& start(const std::string& self) {
    const auto started = nodes_.try_emplace(self, path("group.toml"), self, path(self + ".lines"));
    return started.first->second;
  }
  void kill_and_wait(const std::string& self) {
    node(self).signal(SIGKILL);
    EXPECT_EQ(node(self).end(), 128 + SIGKILL);
  }
  RunningNode& start_again(const std::string& self) {
    nodes_.erase(self);
    std::filesystem::remove(path(self + ".lines"));
    return start(self);
  }
  /// The file of the same group for a member that serves its clients elsewhere.
  [[nodiscard]] std::string config_of_another_place() const {
    std::ifstream file(path("group.toml"));
    std::string text(std::istreambuf_iterator<char>(file), {});
    for (std::size_t at = 0; (at = text.find("/{self}", at)) != std::string::npos; ++at) {
      text.insert(at + 1, "other-");
    }
    std::ofstream(path("other.toml")) << text;
    return path("other.toml");
  }
  void start_all() {
    for (const char* self : {"a", "b", "c"}) start(self);
    for (auto& [self, node] : nodes_) {
      ASSERT_NE(node.wait_for("view 1: a b c"), "");
    }
  }
  RunningNode& node(const std::string& self) { return nodes_.at(self); }

  [[nodiscard]] static Said run(std::vector<std::string> words) {
    bench::Program program(std::move(words));
    program.finish();
    return {program.status, program.output};
  }
  [[nodiscard]] Said kv(const std::string& command, const std::string& self,
                        std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"kv", command, path(self + ".sock"), "--timeout", "20"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  void put(const std::string& self, const std::string& key, const std::string& value) const {
    const Said said = kv("put", self, {key, value});
    EXPECT_EQ(said.status, 0) << said.output;
    EXPECT_TRUE(said.output.starts_with("applied at sequence ")) << said.output;
  }
  [[nodiscard]] std::string get(const std::string& self, const std::string& key) const {
    return kv("get", self, {key, "--ordered"}).output;
  }
  [[nodiscard]] nlohmann::json status(const std::string& self) const {
    const Said said = run({"status", path(self + ".counters"), "--json", path("status.json")});
    EXPECT_EQ(said.status, 0) << said.output;
    return nlohmann::json::parse(std::ifstream(path("status.json")));
  }

  std::string folder_;
  std::string addresses_;  ///< the line of the file
  std::map<std::string, RunningNode> nodes_;
};

}  // namespace lockstep::test
