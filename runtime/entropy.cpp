#include "runtime/entropy.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>

namespace lockstep::runtime {

Expected<std::uint64_t> random_word() {
  std::uint64_t word = 0;
  if (getrandom(&word, sizeof word, 0) != sizeof word) {
    return fail(ErrorCode::system,
                fmt::format("getrandom gave no bytes: {}", std::strerror(errno)));
  }
  return word;
}

}  // namespace lockstep::runtime
