#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "transports/hello/group_key.hpp"
#include "transports/hello/link_keys.hpp"

namespace lockstep::transports {

/// A key for tests: `digit` 64 times. Different digits, different keys.
inline GroupKey test_key(char digit = '1') {
  return GroupKey::from_hex(std::string(2 * GroupKey::kBytes, digit)).value();
}

/// The same in a file, as group.key_file wants it. Removed when this ends.
class TestKeyFile {
 public:
  explicit TestKeyFile(char digit = '1') : path_(testing::TempDir() + "lockstep-key-XXXXXX") {
    const int file = ::mkstemp(path_.data());  // mode 600
    const std::string digits(2 * GroupKey::kBytes, digit);
    EXPECT_EQ(::write(file, digits.data(), digits.size()), static_cast<ssize_t>(digits.size()));
    ::close(file);
  }
  ~TestKeyFile() { ::unlink(path_.c_str()); }
  TestKeyFile(const TestKeyFile&) = delete;
  TestKeyFile& operator=(const TestKeyFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The keys of a link, of one end or of the other.
inline void fill_test_keys(LinkKeys& keys, CipherKind cipher, bool other, unsigned char first = 1) {
  std::fill_n(keys.sending.data(), Secret::size(), first);
  std::fill_n(keys.receiving.data(), Secret::size(), static_cast<unsigned char>(first + 1));
  if (other) {
    std::swap_ranges(keys.sending.data(), keys.sending.data() + Secret::size(),
                     keys.receiving.data());
  }
  keys.cipher = cipher;
}

}  // namespace lockstep::transports
