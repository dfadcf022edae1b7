#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "tests/partitions/child.hpp"

namespace lockstep::test {

/// A `lockstep node` as somebody started it in a terminal: its lines go to a file. It does not
/// outlive this object.
class RunningNode {
 public:
  RunningNode(std::string config, std::string self, std::string lines)
      : self_(std::move(self)), lines_(std::move(lines)) {
    auto child = Child::start([&] {
      const int out = ::open(lines_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(out, STDOUT_FILENO);
      ::dup2(out, STDERR_FILENO);
      ::execl(LOCKSTEP_PROGRAM, "lockstep", "node", config.c_str(), "--self", self_.c_str(),
              nullptr);
      return 127;
    });
    if (child) child_.emplace(std::move(*child));
  }

  void signal(int number) const { ASSERT_EQ(::kill(child_->pid(), number), 0); }

  /// Its exit code, or 128 + signal; -1: it runs on.
  int end() { return child_->wait(kPatienceNs).value_or(-1); }

  /// Waits for the line with `text` in it, the `count`th of them. Empty, and a failure that shows
  /// what was said instead, if it does not come.
  std::string wait_for(const std::string& text, int count = 1) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(kPatienceNs);
    while (std::chrono::steady_clock::now() < deadline) {
      std::istringstream said(lines());
      int found = 0;
      for (std::string line; std::getline(said, line);) {
        if (line.find(text) != std::string::npos && ++found == count) return line;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << self_ << " never said '" << text << "', but:\n" << lines();
    return {};
  }

  [[nodiscard]] std::string lines() const {
    std::ostringstream text;
    text << std::ifstream(lines_).rdbuf();
    return text.str();
  }

 private:
  static constexpr std::uint64_t kPatienceNs = 40'000'000'000;

  std::string self_;
  std::string lines_;
  std::optional<Child> child_;
};

}  // namespace lockstep::test
