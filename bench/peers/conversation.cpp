#include "bench/peers/conversation.hpp"

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace lockstep::bench::peers {
namespace {

using Json = nlohmann::json;

void say(const Json& json) {
  std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
}

/// Says what came of a question under `key`, or why nothing did.
template <class T>
void say(const char* key, const Expected<T>& answer) {
  if (answer) {
    say(Json{{key, *answer}});
  } else {
    say(Json{{"error", answer.error().message}});
  }
}

}  // namespace

int converse(const std::string& name, const std::string& version,
             const Conversation& conversation) {
  say(Json{{"name", name}, {"version", version}});
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string word;
    std::uint64_t samples = 0;
    if (words >> word && word == "measure" && words >> samples && conversation.measure) {
      say("latency_ns", conversation.measure(samples));
    } else if (word == "failover" && conversation.failover) {
      say("blackout_ns", conversation.failover());
    } else {
      say(Json{{"error", "\"" + line + "\" is no question that this peer answers"}});
    }
  }
  return EXIT_SUCCESS;
}

int refuse(const Error& error) {
  say(Json{{"error", error.message}});
  return EXIT_FAILURE;
}

std::uint64_t now_ns() noexcept {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                    std::chrono::nanoseconds(1));
}

}  // namespace lockstep::bench::peers
