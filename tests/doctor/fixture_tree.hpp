#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tools/doctor/tree.hpp"

namespace lockstep::doctor {

/// A folder that stands for the root of some machine; removed at the end.
class FixtureTree {
 public:
  FixtureTree() {
    std::string pattern = ::testing::TempDir() + "lockstep-doctor-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~FixtureTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  FixtureTree(const FixtureTree&) = delete;
  FixtureTree& operator=(const FixtureTree&) = delete;

  /// Makes the file, and the folders above it; instead of what is there.
  void write(const std::string& path, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path, std::ios::binary) << text;
  }
  void link(const std::string& path, const std::string& target) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::filesystem::create_symlink(target, root_ + path);
  }
  void remove(const std::string& path) { std::filesystem::remove_all(root_ + path); }

  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] Tree tree() const { return Tree(root_); }

 private:
  std::string root_;
};

}  // namespace lockstep::doctor
