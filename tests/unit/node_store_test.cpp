#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/unit/node_snapshot_pieces.hpp"
#include "tools/node/kv_store.hpp"

namespace lockstep::node {
namespace {

using tests::load_in_pieces;
using tests::MemoryReader;
using tests::MemoryWriter;

void apply(KvStore& store, const Request& request, std::uint64_t sequence = 7) {
  const std::string packet = encode(request);
  store.apply({.payload = as_bytes(packet), .sequence = sequence, .mine = true});
}

void put(KvStore& store, std::string_view key, std::string_view value) {
  apply(store, {.kind = RequestKind::put, .key = key, .value = value});
}

Reply last_reply(const KvStore& store) {
  return decode_reply(as_bytes(store.last_reply()))->packet;
}

std::string value_of(const KvStore& store, std::string_view key) {
  const std::string* value = store.state().find(key);
  return value == nullptr ? "(none)" : *value;
}

/// A whole snapshot; `between` is called after each call of save but the last.
template <class Between>
std::string save(KvStore& store, std::size_t budget, std::size_t piece, Between between) {
  MemoryWriter writer(budget, piece);
  for (bool first = true;; first = false) {
    writer.begin_call(first);
    const bool all = store.save(writer);
    EXPECT_EQ(writer.failure, "");
    if (all) return writer.bytes;
    between();
  }
}

std::string save(KvStore& store) {
  return save(store, 1 << 20, 1 << 20, [] {});
}

TEST(KvStore, AppliesPutsAndSaysWhere) {
  KvStore store;
  apply(store, {.kind = RequestKind::put, .key = "cart", .value = "5"}, 41);
  ASSERT_EQ(last_reply(store).status, ReplyStatus::done);
  EXPECT_EQ(last_reply(store).body.size(), 8U);
  EXPECT_EQ(last_reply(store).body[0], 41);
  put(store, "cart", "10");
  EXPECT_EQ(value_of(store, "cart"), "10");
  apply(store, {.kind = RequestKind::ordered_get, .key = "cart"});
  EXPECT_EQ(last_reply(store).body, "10");
  apply(store, {.kind = RequestKind::ordered_get, .key = "none"});
  EXPECT_EQ(last_reply(store).status, ReplyStatus::absent);
}

TEST(KvStore, IgnoresWhatIsNoRequestOfTheOrder) {
  KvStore store;
  put(store, "a", "1");
  const std::uint64_t digest = store.state().digest();
  const std::string whole = encode(Request{.kind = RequestKind::put, .key = "a", .value = "2"});
  for (const std::string& payload :
       {std::string(), std::string("nonsense"), whole.substr(0, whole.size() - 1), whole + "x",
        encode(Request{.kind = RequestKind::get, .key = "a"})}) {
    store.apply({.payload = as_bytes(payload), .mine = true});
  }
  EXPECT_EQ(store.malformed(), 5U);
  EXPECT_EQ(store.state().digest(), digest);
  EXPECT_EQ(value_of(store, "a"), "1");
}

TEST(KvStore, DigestsTellContentsApartAndNotTheirHistory) {
  KvStore one;
  put(one, "a", "1");
  put(one, "b", "2");
  KvStore other;
  put(other, "b", "1");
  put(other, "a", "1");
  EXPECT_NE(one.state().digest(), other.state().digest());
  put(other, "b", "2");
  EXPECT_EQ(one.state().digest(), other.state().digest());
  KvStore moved;
  put(moved, "a1", "");
  put(moved, "b", "2");
  EXPECT_NE(one.state().digest(), moved.state().digest());
}

TEST(KvStore, RefusesPutsBeyondItsBoundAlikeEverywhere) {
  const std::size_t most = 3 * (kEntryCostBytes + 2);
  KvStore store(most);
  for (const char* key : {"a", "b", "c"}) put(store, key, "1");
  EXPECT_EQ(last_reply(store).status, ReplyStatus::done);
  put(store, "d", "1");
  EXPECT_EQ(last_reply(store).status, ReplyStatus::refused);
  EXPECT_NE(last_reply(store).body.find("full"), std::string_view::npos);
  put(store, "a", "22");
  EXPECT_EQ(last_reply(store).status, ReplyStatus::refused);
  EXPECT_EQ(value_of(store, "a"), "1");
  put(store, "a", "2");
  EXPECT_EQ(last_reply(store).status, ReplyStatus::done);
}

TEST(KvStore, ListsPageByPage) {
  KvStore store;
  const std::string value(KvStore::kPageBytes / 4, 'v');
  for (const char* key : {"a", "b", "c", "d", "e"}) put(store, key, value);
  put(store, "big", std::string(2 * KvStore::kPageBytes, 'v'));
  std::string keys;
  std::string after;
  int pages = 0;
  for (bool more = true; more; ++pages) {
    const std::string packet = store.reply_to_list(after);
    const Reply reply = decode_reply(as_bytes(packet))->packet;
    const auto entries = decode_entries(reply.body);
    ASSERT_TRUE(entries) << entries.error().message;
    ASSERT_FALSE(entries->empty());
    for (const Entry& entry : *entries) keys += std::string(entry.key) + " ";
    after = entries->back().key;
    more = reply.more;
  }
  EXPECT_EQ(keys, "a b big c d e ");
  EXPECT_EQ(pages, 3);
}

TEST(KvSnapshot, GivesTheStateOfTheCutWhilePutsGoOn) {
  KvStore donor;
  for (int i = 0; i < 40; i += 2) put(donor, fmt::format("key{:02}", i), fmt::format("old{}", i));
  const std::uint64_t digest = donor.state().digest();
  int call = 0;
  const std::string snapshot = save(donor, 20, 7, [&] {
    // Keys that have been written and keys that have not, old and new, each more than once.
    const int i = call++ * 7 % 41;
    put(donor, fmt::format("key{:02}", i), fmt::format("new{}", call));
    put(donor, fmt::format("key{:02}", i), fmt::format("newer{}", call));
  });
  EXPECT_GT(call, 10);
  EXPECT_NE(donor.state().digest(), digest);

  KvStore joiner;
  put(joiner, "of its own", "gone");
  EXPECT_EQ(load_in_pieces(joiner, snapshot, 1'000), "");
  EXPECT_EQ(joiner.state().digest(), digest);
  EXPECT_EQ(joiner.state().entries().size(), 20U);
  EXPECT_EQ(value_of(joiner, "key38"), "old38");
  EXPECT_EQ(value_of(joiner, "of its own"), "(none)");
}

TEST(KvSnapshot, IsLoadedFromPiecesCutAnywhere) {
  KvStore donor;
  for (int i = 0; i < 5; ++i) put(donor, fmt::format("key{}", i), std::string(20, 'v'));
  const std::string snapshot = save(donor);
  for (std::size_t piece = 1; piece <= snapshot.size() + 1; ++piece) {
    KvStore joiner;
    EXPECT_EQ(load_in_pieces(joiner, snapshot, piece), "") << piece;
    EXPECT_EQ(joiner.state().digest(), donor.state().digest()) << piece;
  }
}

TEST(KvSnapshot, OfNothingIsOne) {
  KvStore donor;
  KvStore joiner;
  put(joiner, "a", "1");
  EXPECT_EQ(load_in_pieces(joiner, save(donor), 5), "");
  EXPECT_TRUE(joiner.state().entries().empty());
}

TEST(KvSnapshot, BeginsAnewWithEveryFirstCall) {
  KvStore donor;
  for (const char* key : {"a", "b", "c"}) put(donor, key, "1");
  MemoryWriter writer(10, 10);
  writer.begin_call(true);
  EXPECT_FALSE(donor.save(writer));  // its joiner dies here
  put(donor, "b", "2");
  const std::string snapshot = save(donor);
  KvStore joiner;
  MemoryReader half(std::string_view(snapshot).substr(0, 40), true, false);
  joiner.load(half);  // its donor dies here
  EXPECT_EQ(load_in_pieces(joiner, snapshot, 16), "");
  EXPECT_EQ(value_of(joiner, "b"), "2");
}

TEST(KvSnapshot, DamageIsSeenWhereverItIs) {
  KvStore donor;
  for (const char* key : {"a", "b", "c"}) put(donor, key, "value");
  const std::string snapshot = save(donor);
  for (std::size_t at = 0; at < snapshot.size(); ++at) {
    std::string damaged = snapshot;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x21);
    KvStore joiner;
    put(joiner, "mine", "kept");
    const std::string failure = load_in_pieces(joiner, damaged, 9);
    EXPECT_TRUE(failure.starts_with("the snapshot of the key-value store is damaged: ")) << at;
    EXPECT_EQ(value_of(joiner, "mine"), "kept");
  }
  for (std::size_t bytes = 0; bytes < snapshot.size(); ++bytes) {
    KvStore joiner;
    EXPECT_NE(load_in_pieces(joiner, snapshot.substr(0, bytes), 9), "") << bytes;
  }
}

TEST(KvSnapshot, MoreThanAStoreTakesIsRefused) {
  KvStore donor;
  for (const char* key : {"a", "b", "c"}) put(donor, key, "value");
  KvStore joiner(2 * kEntryCostBytes + 20);
  EXPECT_NE(load_in_pieces(joiner, save(donor), 1'000).find("bytes that a store takes"),
            std::string::npos);
}

}  // namespace
}  // namespace lockstep::node
