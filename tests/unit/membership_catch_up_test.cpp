#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstring>
#include <string>
#include <vector>

#include "membership/catch_up.hpp"

namespace lockstep::membership {
namespace {

using testing::ElementsAre;

class Told final : public StateMachine {
 public:
  void apply(const Message& message) override {
    lines.emplace_back(reinterpret_cast<const char*>(message.payload.data()),
                       message.payload.size());
  }
  void view_installed(const View& view) override {
    lines.push_back(fmt::format("view {}", view.id));
  }
  std::vector<std::string> lines;
};

void keep(CatchUp& catch_up, std::string text) {
  catch_up.apply({.payload = std::as_bytes(std::span(text))});
  text.assign(text.size(), '?');  // the message is gone when apply returns
}

TEST(CatchUpTest, TellsWhatItKeptInOrderAPieceAtATime) {
  CatchUp catch_up;
  catch_up.view_installed({.id = 4, .members = {}});
  keep(catch_up, "a");
  catch_up.view_installed({.id = 5, .members = {}});
  keep(catch_up, "b");
  keep(catch_up, "");
  Told told;
  EXPECT_FALSE(catch_up.replay(told, 2));
  EXPECT_THAT(told.lines, ElementsAre("view 4", "a"));
  keep(catch_up, "c");
  EXPECT_TRUE(catch_up.replay(told, 100));
  EXPECT_THAT(told.lines, ElementsAre("view 4", "a", "view 5", "b", "", "c"));
  EXPECT_TRUE(catch_up.replay(told, 1));
}

TEST(CatchUpTest, ANewCutMakesWhatWasBeforeVoid) {
  CatchUp catch_up;
  catch_up.view_installed({.id = 4, .members = {}});
  keep(catch_up, "a");
  catch_up.begin_anew();
  catch_up.view_installed({.id = 5, .members = {}});
  keep(catch_up, "b");
  Told told;
  EXPECT_TRUE(catch_up.replay(told, 100));
  EXPECT_THAT(told.lines, ElementsAre("view 5", "b"));
}

}  // namespace
}  // namespace lockstep::membership
