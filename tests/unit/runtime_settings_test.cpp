#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "runtime/settings.hpp"

namespace lockstep::runtime {
namespace {

TEST(Settings, DefaultsSatisfyTheirRules) {
  const Config defaults;
  for (const Setting& setting : settings()) {
    // Who the members are has no default.
    if (setting.key == "self" || setting.key == "members") continue;
    EXPECT_EQ(fault(setting, setting.get(defaults)), "") << setting.key;
  }
}

TEST(Settings, SetWhatTheyGet) {
  const std::vector<std::pair<std::string, std::string>> others = {
      {"idle", "yield"},
      {"core", "7"},
      {"huge_pages", "required"},
      {"lock_memory", "true"},
      {"counters_file", "a/b"},
      {"members", "x,y"},
      {"silence_timeout_ns", "7000000000"},
      {"mailbox_slots", "4"}};
  for (const auto& [key, text] : others) {
    const auto all = settings();
    const auto found = std::ranges::find(all, key, &Setting::key);
    ASSERT_NE(found, all.end()) << key;
    const Value value = from_text(found->rule, text);
    EXPECT_EQ(fault(*found, value), "") << key;
    Config config;
    EXPECT_NE(found->get(config), value) << key;
    found->set(config, value);
    EXPECT_EQ(found->get(config), value) << key;
    EXPECT_EQ(to_text(found->get(config)), text);
  }
}

TEST(Settings, ReadTextByTheirRule) {
  EXPECT_EQ(from_text(Whole{0, 9}, "7"), Value(std::int64_t{7}));
  EXPECT_EQ(from_text(Whole{0, 9}, "7 "), Value(std::string("7 ")));
  EXPECT_EQ(from_text(Whole{0, 9}, ""), Value(std::string()));
  EXPECT_EQ(from_text(Whole{0, 9}, "99999999999999999999"),
            Value(std::string("99999999999999999999")));
  EXPECT_EQ(from_text(Flag{}, "false"), Value(false));
  EXPECT_EQ(from_text(Flag{}, "yes"), Value(std::string("yes")));
  EXPECT_EQ(from_text(Names{}, ""), Value(std::vector<std::string>{}));
  EXPECT_EQ(from_text(Names{}, "a"), Value(std::vector<std::string>{"a"}));
  EXPECT_EQ(from_text(Names{}, ",a,"), Value(std::vector<std::string>{"", "a", ""}));
}

/// The row of a setting in docs/configuration.md; empty if there is none.
std::string row_of(const Setting& setting) {
  std::ifstream page(LOCKSTEP_SOURCE_DIR "/docs/configuration.md");
  std::string line;
  while (std::getline(page, line)) {
    if (line.starts_with(fmt::format("| `{}` ", setting.key))) return line;
  }
  return {};
}

/// The page and the table say the same of every setting.
TEST(Settings, AreDocumented) {
  const Config defaults;
  for (const Setting& setting : settings()) {
    const std::string row = row_of(setting);
    ASSERT_FALSE(row.empty()) << setting.key;
    const auto says = [&](const std::string& part) { return row.find(part) != std::string::npos; };
    const std::string allowed = requirement(setting.rule).substr(std::string("must be ").size());
    EXPECT_TRUE(says("| " + allowed + " |")) << row;
    const std::string value = to_text(setting.get(defaults));
    EXPECT_TRUE(says(value.empty() ? "| *empty* |" : fmt::format("| `{}` |", value))) << row;
    std::string variable = fmt::format("LOCKSTEP_{}_{}", setting.table, setting.key);
    std::ranges::transform(variable, variable.begin(),
                           [](char c) { return static_cast<char>(std::toupper(c)); });
    EXPECT_TRUE(says(fmt::format("| `{}` |", variable))) << row;
    EXPECT_EQ(says("**=**"), setting.agreed) << row;
  }
}

}  // namespace
}  // namespace lockstep::runtime
