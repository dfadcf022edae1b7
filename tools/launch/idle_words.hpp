#pragma once

#include <map>
#include <string>

#include "lockstep/config.hpp"

namespace lockstep::launch {

/// What an --idle option takes, and what it means: the words of configuration files.
inline const std::map<std::string, IdlePolicy>& idle_words() {
  static const std::map<std::string, IdlePolicy> words = [] {
    std::map<std::string, IdlePolicy> all;
    for (const auto policy :
         {IdlePolicy::automatic, IdlePolicy::spin, IdlePolicy::yield, IdlePolicy::backoff}) {
      all.emplace(to_string(policy), policy);
    }
    return all;
  }();
  return words;
}

}  // namespace lockstep::launch
