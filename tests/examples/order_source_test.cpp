#include "examples/matching_engine/order_source.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "examples/matching_engine/generator.hpp"
#include "tests/examples/itch_writer.hpp"

namespace lockstep::examples {
namespace {

class OrderFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "order_file_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string make(const char* name, std::string_view content) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
    return path;
  }
  std::string make_itch(const char* name, ItchWriter& file) {
    const auto& bytes = file.bytes();
    return make(name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  /// Why it cannot be opened or read, without the folder.
  std::string refusal(const std::string& path, std::string_view format = "auto") {
    auto source = open_order_file(path, format);
    auto summary = source ? check_whole(**source) : std::unexpected(source.error());
    if (summary) return "none";
    const std::string& message = summary.error().message;
    const std::size_t at = message.find(folder_.string());
    return at == 0 ? message.substr(folder_.string().size() + 1) : message;
  }

  std::filesystem::path folder_;
};

constexpr const char* kLines =
    "34200.5,1,1,10,100,1\n"
    "34200.6,1,2,10,101,-1\n"
    "34207,3,1,10,100,1\n";

TEST_F(OrderFile, TellsTheFormatFromTheFirstByte) {
  const auto text = open_order_file(make("text", kLines), "auto");
  ASSERT_TRUE(text) << text.error().message;
  const auto summary = check_whole(**text);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->orders, 3U);
  EXPECT_EQ(summary->first_time_ns, 34'200'500'000'000U);
  EXPECT_EQ(summary->last_time_ns, 34'207'000'000'000U);

  ItchWriter file;
  file.add(1, 5, 1, 'B', 1, 1).remove(1, 6, 1);
  const auto binary = open_order_file(make_itch("binary", file), "auto");
  ASSERT_TRUE(binary) << binary.error().message;
  EXPECT_EQ(check_whole(**binary)->orders, 2U);
}

TEST_F(OrderFile, StartsAgainAfterTheCheck) {
  const auto source = open_order_file(make("text", kLines), "lobster");
  ASSERT_TRUE(source);
  ASSERT_TRUE(check_whole(**source));
  std::array<OrderMessage, 10> orders;
  EXPECT_EQ((*source)->next(orders).value_or(0), 3U);
  EXPECT_EQ(orders[0].order_id, 1U);
}

TEST_F(OrderFile, FindsAMalformedLastLineBeforeAnyOrderIsUsed) {
  EXPECT_EQ(refusal(make("text", std::string(kLines) + "34208,1,3")),
            "text:4: message type \"1\": 3 fields instead of 6");
}

TEST_F(OrderFile, RefusesWhatIsNoInput) {
  EXPECT_EQ(refusal((folder_ / "absent").string()),
            "absent: cannot open: No such file or directory");
  EXPECT_EQ(refusal(make("empty", "")), "empty: the file is empty");
  EXPECT_EQ(refusal(make("packed.gz", "\x1f\x8b\x08 and so on")),
            "packed.gz: the file is compressed; unpack it first (gunzip -k)");
  EXPECT_NE(refusal(folder_.string()).find("not a regular file"), std::string::npos);
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_NE(refusal(pipe).find("not a regular file"), std::string::npos);
  EXPECT_EQ(refusal(make("text", kLines), "fix"),
            "unknown format \"fix\": it is auto, lobster or itch");
  EXPECT_NE(refusal(make("text", kLines), "itch").find("byte 0: message type"), std::string::npos);
}

TEST(FirstOrders, StopsAfterSoManyAndStartsAgain) {
  const auto source = first_orders(std::make_unique<OrderGenerator>(1, 1'000), 250);
  EXPECT_EQ(check_whole(*source)->orders, 250U);
  EXPECT_EQ(check_whole(*source)->orders, 250U);
  EXPECT_EQ(check_whole(*first_orders(std::make_unique<OrderGenerator>(1, 10), 250))->orders, 10U);
}

// Longer than the window that the readers look through.
TEST(OrderPipe, IsReadOnceFromItsBeginningToItsEnd) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  constexpr std::uint64_t kCount = 10'000;
  std::thread writer([&] {
    for (std::uint64_t id = 1; id <= kCount; ++id) {
      const std::string line = "34200.5,1," + std::to_string(id) + ",18,5853300,1\n";
      EXPECT_EQ(write(ends[1], line.data(), line.size()), static_cast<ssize_t>(line.size()));
    }
    close(ends[1]);
  });
  auto source = open_orders(bytes_of_pipe("pipe", ends[0]), "auto").value();
  std::array<OrderMessage, 100> orders;
  std::uint64_t count = 0;
  for (std::size_t got; (got = source->next(orders).value()) > 0; count += got) {
    EXPECT_EQ(orders[0].order_id, count + 1);
  }
  EXPECT_EQ(count, kCount);
  writer.join();
  source->rewind();
  const auto again = source->next(orders);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "pipe: can be read only once, from its beginning to its end");
  close(ends[0]);
}

}  // namespace
}  // namespace lockstep::examples
