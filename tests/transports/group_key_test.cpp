#include "transports/hello/group_key.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/unit/runtime_folder.hpp"

namespace lockstep::transports {
namespace {

constexpr const char* kDigits = "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100";

class KeyFile : public testing::Test {
 protected:
  /// What is said of a file that holds `text` and may be used as `mode` says.
  std::string refusal(const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), mode);
    const auto key = GroupKey::read(path_);
    if (key) return "(taken)";
    EXPECT_EQ(key.error().code, ErrorCode::configuration);
    EXPECT_NE(key.error().message.find(path_), std::string::npos) << key.error().message;
    return key.error().message;
  }

  tests::Folder folder_;
  std::string path_ = folder_.file("key");
};

TEST_F(KeyFile, Holds64HexDigits) {
  ASSERT_EQ(refusal(std::string(kDigits) + "\n"), "(taken)");
  const auto key = GroupKey::read(path_);
  EXPECT_EQ(key->bytes()[1], 0x11);
  EXPECT_EQ(key->bytes()[16], 0xff);
  EXPECT_EQ(key->bytes()[31], 0x00);
  EXPECT_EQ(refusal(kDigits, 0400), "(taken)");
}

TEST_F(KeyFile, OfOtherLengthOrOtherLettersIsRefusedAndNeverQuoted) {
  const std::string digits = kDigits;
  for (const std::string& text :
       {std::string(), digits.substr(1), fmt::format("{}0", digits), fmt::format("{0}{0}", digits),
        fmt::format(" {}", digits), fmt::format("{}g", digits.substr(1)),
        fmt::format("{}\n0", digits.substr(1)), std::string(100'000, 'a')}) {
    const std::string message = refusal(text);
    EXPECT_NE(message.find("64 hex digits"), std::string::npos) << message;
    EXPECT_NE(message.find("openssl rand -hex 32"), std::string::npos) << message;
    EXPECT_EQ(message.find("445566"), std::string::npos) << message;
  }
}

TEST_F(KeyFile, ThatOthersMayUseIsRefused) {
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0777U}) {
    const std::string message = refusal(kDigits, mode);
    EXPECT_NE(message.find("chmod 600"), std::string::npos) << message;
  }
}

TEST_F(KeyFile, ThatIsMissingOrNoFileIsRefused) {
  const auto missing = GroupKey::read(folder_.file("none"));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("No such file"), std::string::npos);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  const auto pipe = GroupKey::read(path_);  // and it does not wait for a writer
  ASSERT_FALSE(pipe);
  EXPECT_NE(pipe.error().message.find("no regular file"), std::string::npos);
  EXPECT_FALSE(GroupKey::read(folder_.path()));
}

}  // namespace
}  // namespace lockstep::transports
