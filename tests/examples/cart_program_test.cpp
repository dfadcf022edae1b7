#include <gtest/gtest.h>

#include <string>

#include "tests/examples/program.hpp"

namespace lockstep::examples {
namespace {

struct Told {
  int status = -1;
  std::string output;
};

Told told(const std::string& story) {
  Program program({CART, story});
  const int status = program.wait();
  return {status, program.output()};
}

// In the middle of the put its sender dies, and what the survivors saw is all or nothing. Who joins
// then gets what they saw.

TEST(CartProgramTest, ACartWhosePutHadNotLeftItsSender) {
  const Told early = told("early");
  EXPECT_EQ(early.status, 0);
  EXPECT_EQ(
      early.output,
      "P2 dies early:\n"
      "  P1 P2 P3    view 1 of P1 P2 P3: cart = 0\n"
      "  P1 P2 P3    PUT cart 5 by P1\n"
      "  P1 P2 P3    PUT cart 10 by P3\n"
      "  P2          P2 dies in the middle of PUT cart 20, before any byte of it has left P2\n"
      "  P1 P3       view 2 of P1 P3: cart = 10\n"
      "  P3          the state at the beginning of view 3 is given: cart = 10\n"
      "  P4          the state has come: cart = 10\n"
      "  P1 P3 P4    view 3 of P1 P3 P4: cart = 10\n"
      "  P1 P3 P4    PUT cart 30 by P4\n");
}

TEST(CartProgramTest, ACartWhosePutHadReachedTheOthers) {
  const Told late = told("late");
  EXPECT_EQ(late.status, 0);
  EXPECT_EQ(late.output,
            "P2 dies late:\n"
            "  P1 P2 P3    view 1 of P1 P2 P3: cart = 0\n"
            "  P1 P2 P3    PUT cart 5 by P1\n"
            "  P1 P2 P3    PUT cart 10 by P3\n"
            "  P2          P2 dies in the middle of PUT cart 20, after its bytes have left P2\n"
            "  P1 P3       PUT cart 20 by P2\n"
            "  P1 P3       view 2 of P1 P3: cart = 20\n"
            "  P3          the state at the beginning of view 3 is given: cart = 20\n"
            "  P4          the state has come: cart = 20\n"
            "  P1 P3 P4    view 3 of P1 P3 P4: cart = 20\n"
            "  P1 P3 P4    PUT cart 30 by P4\n");
}

TEST(CartProgramTest, ACartOfAnotherStoryIsRefused) { EXPECT_EQ(told("never").status, 2); }

}  // namespace
}  // namespace lockstep::examples
