#include "tools/sim/sim_command.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace lockstep::sim {
namespace {

struct Outcome {
  int status = 0;
  std::string output;
};

// What a person would see and the shell would get.
Outcome run(const std::string& arguments) {
  CLI::App app("", "lockstep");
  add_sim(app);
  Outcome outcome;
  testing::internal::CaptureStdout();
  try {
    app.parse("sim " + arguments);
  } catch (const CLI::RuntimeError& error) {
    outcome.status = error.get_exit_code();
  } catch (const CLI::ParseError& error) {
    outcome.status = 2;
    outcome.output = error.what();
  }
  std::fflush(stdout);
  outcome.output += testing::internal::GetCapturedStdout();
  return outcome;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(SimCommand, SaysHowManySeedsPassed) {
  const Outcome outcome = run("--seeds 3 --seed 100");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(contains(outcome.output, "3 seeds from 100 on: no violation")) << outcome.output;
}

TEST(SimCommand, AViolationComesWithItsTraceAndTheCommandThatReplaysIt) {
  const Outcome outcome = run("--mutant deliver-unstable --seeds 50 --seed 7");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(contains(outcome.output, "I3 uniformity")) << outcome.output;
  EXPECT_TRUE(contains(outcome.output, "the last events:")) << outcome.output;
  EXPECT_TRUE(contains(outcome.output, "delivers sequence")) << outcome.output;
  const auto at = outcome.output.find("lockstep sim --seeds 1 --seed ");
  ASSERT_NE(at, std::string::npos) << outcome.output;

  // The command it names shows the same violation, after all the events that led to it.
  const std::string violation = outcome.output.substr(0, outcome.output.find('\n'));
  const std::string command = outcome.output.substr(at + std::string("lockstep sim ").size());
  const Outcome replayed = run(command.substr(0, command.find('\n')));
  EXPECT_EQ(replayed.status, 1);
  EXPECT_TRUE(contains(replayed.output, violation)) << replayed.output;
}

TEST(SimCommand, ListsMutantsOneALine) {
  const Outcome outcome = run("--list-mutants");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_GE(std::ranges::count(outcome.output, '\n'), 10);
  EXPECT_TRUE(contains(outcome.output, "deliver-unstable")) << outcome.output;
  EXPECT_TRUE(contains(outcome.output, "breaks: ")) << outcome.output;
}

TEST(SimCommand, RefusesAMutantThatIsNone) {
  const Outcome outcome = run("--mutant no-such-thing");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(contains(outcome.output, "there is no mutant 'no-such-thing'")) << outcome.output;
}

TEST(SimCommand, RefusesZeroSeeds) { EXPECT_EQ(run("--seeds 0").status, 2); }

}  // namespace
}  // namespace lockstep::sim
