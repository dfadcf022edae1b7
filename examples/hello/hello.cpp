// Three terminals: `hello a a,b,c`, `hello b a,b,c`, `hello c a,b,c`. Each member says one line,
// and all print the same three lines in the same order.
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>

#include "lockstep/lockstep.hpp"

struct Lines : lockstep::StateMachine {
  std::size_t count = 0;
  std::string loss;

  void apply(const lockstep::Message& message) override {
    const auto* text = reinterpret_cast<const char*>(message.payload.data());
    std::cout << ++count << ". " << std::string_view(text, message.payload.size()) << std::endl;
  }
  void member_unreachable(const lockstep::MemberUnreachable& lost) override {
    loss = lost.name + ": " + lost.reason;
  }
};

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "usage: hello SELF MEMBER,MEMBER,...\n";
    return 2;
  }
  lockstep::GroupConfig config{.name = "hello", .self = arguments[1]};
  std::istringstream members(arguments[2]);
  for (std::string name; std::getline(members, name, ',');) config.members.push_back(name);

  Lines lines;
  lockstep::Reactor reactor;
  auto group = lockstep::Group::join(reactor, config, lines);  // waits for the others
  if (!group) {
    std::cerr << group.error().message << "\n";
    return 1;
  }
  const std::string line = "hello from " + config.self;
  if (auto slot = group->claim(line.size())) {
    std::memcpy(slot->data(), line.data(), line.size());
    slot->publish();
  }
  // Whoever is done leaves, and the others go on. Of the last two the second may be left without a
  // quorum; what was stable still arrives.
  const std::size_t all = config.members.size();
  for (int turns_left = 1'000; (lines.count < all || !group->drained()) && turns_left > 0;) {
    if (!reactor.poll_once()) reactor.idle(1'000'000);
    if (!group->view().primary) --turns_left;
  }
  if (lines.count == all) return 0;
  std::cerr << "incomplete: lost " << lines.loss << "\n";
  return 1;
}
