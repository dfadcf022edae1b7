#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "lockstep/config.hpp"
#include "runtime/config_text.hpp"
#include "tests/unit/runtime_folder.hpp"

namespace lockstep {
namespace {

using tests::Folder;

/// An environment variable for the length of a scope.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

GroupConfig three_members() {
  GroupConfig config;
  config.self = "b";
  config.members = {"a", "b", "c"};
  return config;
}

/// The message that loading `text` from a file "group.toml" ends in, without the folder.
class LoadConfig : public ::testing::Test {
 protected:
  Expected<Config> load(const std::string& text) {
    std::ofstream(path_) << text;
    return load_config(path_);
  }

  std::string error_of(const std::string& text) {
    const auto config = load(text);
    if (config) return "(no error)";
    EXPECT_EQ(config.error().code, ErrorCode::configuration);
    std::string message = config.error().message;
    const std::string folder = folder_.path() + "/";
    for (auto at = message.find(folder); at != std::string::npos; at = message.find(folder)) {
      message.erase(at, folder.size());
    }
    return message;
  }

  Folder folder_;
  std::string path_ = folder_.file("group.toml");
};

TEST_F(LoadConfig, TakesEverySetting) {
  const auto config = load(R"([reactor]
idle = "backoff"
core = 3
backoff_spin_ns = 2_000
backoff_yields = 4
huge_pages = "never"
lock_memory = true
counters_file = "a.counters"
[group]
name = "orders"
self = "b"
members = ["a", "b", "c"]
senders = ["c"]
transport = "shm"
ring_bytes = 65536
join_timeout_ns = 5_000_000_000
heartbeat_interval_ns = 50_000_000
silence_timeout_ns = 500_000_000
mailbox_slots = 16
mailbox_payload_bytes = 256
)");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->reactor.idle, IdlePolicy::backoff);
  EXPECT_EQ(config->reactor.core, 3);
  EXPECT_EQ(config->reactor.backoff_spin_ns, 2'000U);
  EXPECT_EQ(config->reactor.backoff_yields, 4U);
  EXPECT_EQ(config->reactor.huge_pages, HugePages::never);
  EXPECT_TRUE(config->reactor.lock_memory);
  EXPECT_EQ(config->reactor.counters_file, "a.counters");
  EXPECT_EQ(config->group.name, "orders");
  EXPECT_EQ(config->group.self, "b");
  EXPECT_EQ(config->group.members, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(config->group.senders, (std::vector<std::string>{"c"}));
  EXPECT_EQ(config->group.transport, "shm");
  EXPECT_EQ(config->group.ring_bytes, 65'536U);
  EXPECT_EQ(config->group.join_timeout_ns, 5'000'000'000U);
  EXPECT_EQ(config->group.heartbeat_interval_ns, 50'000'000U);
  EXPECT_EQ(config->group.silence_timeout_ns, 500'000'000U);
  EXPECT_EQ(config->group.mailbox_slots, 16U);
  EXPECT_EQ(config->group.mailbox_payload_bytes, 256U);
}

TEST_F(LoadConfig, AnEmptyFileGivesTheDefaults) {
  const auto config = load("");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->group.ring_bytes, GroupConfig().ring_bytes);
  EXPECT_EQ(config->reactor.idle, IdlePolicy::automatic);
  EXPECT_TRUE(config->group.members.empty());
}

TEST_F(LoadConfig, NamesAnUnknownKeyAndItsNeighbour) {
  EXPECT_EQ(
      error_of("[group]\nname = \"a\"\n\nring_byte = 4096\n"),
      "group.toml:4: key 'ring_byte' in [group] is not known; did you mean 'ring_bytes'? "
      "allowed: name, self, members, founders, senders, application, addresses, transport, "
      "key_file, encryption, tcp_io, "
      "verbs_device, verbs_gid_index, dpdk_devices, dpdk_encapsulation, dpdk_eal, dpdk_plugin, "
      "ring_bytes, join_timeout_ns, "
      "heartbeat_interval_ns, silence_timeout_ns, slow_lag, slow_timeout_ns, slow_evicts, "
      "mailbox_slots, mailbox_payload_bytes");
  EXPECT_EQ(error_of("[reactor]\nxyzzyplugh = 1\n"),
            "group.toml:2: key 'xyzzyplugh' in [reactor] is not known; allowed: idle, core, "
            "backoff_spin_ns, backoff_yields, huge_pages, lock_memory, counters_file");
}

TEST_F(LoadConfig, HandsAProgramItsOwnTable) {
  std::ofstream(path_) << "[node]\nlisten = \"a.sock\"\nclients = 5\n[group]\nname = \"orders\"\n";
  std::vector<ProgramSetting> settings;
  const auto config = load_config(path_, "node", settings);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->group.name, "orders");
  ASSERT_EQ(settings.size(), 2U);
  EXPECT_EQ(settings[0].key, "clients");
  EXPECT_EQ(settings[0].value, "5");
  EXPECT_EQ(settings[1].value, "a.sock");
  EXPECT_EQ(settings[1].origin, path_ + ":2: node.listen = 'a.sock'");
}

TEST_F(LoadConfig, AProgramsTableExcusesNoOther) {
  std::vector<ProgramSetting> settings;
  std::ofstream(path_) << "[nod]\n";
  EXPECT_TRUE(load_config(path_, "node", settings)
                  .error()
                  .message.ends_with(":1: table [nod] is not known; did you mean 'node'? allowed: "
                                     "[reactor], [group], [node]"));
  std::ofstream(path_) << "[node]\nat = 1979-05-27\n";
  EXPECT_TRUE(load_config(path_, "node", settings)
                  .error()
                  .message.ends_with("must be a text, a whole number, true or false, or a list of "
                                     "texts"));
  EXPECT_EQ(error_of("[node]\n"),
            "group.toml:1: table [node] is not known; allowed: [reactor], [group]");
}

TEST_F(LoadConfig, NamesAnUnknownTable) {
  EXPECT_EQ(error_of("[grop]\n"),
            "group.toml:1: table [grop] is not known; did you mean 'group'? allowed: [reactor], "
            "[group]");
  EXPECT_EQ(error_of("ring_bytes = 4096\n"),
            "group.toml:1: key 'ring_bytes' outside of a table is not known; allowed: [reactor], "
            "[group]");
  EXPECT_EQ(error_of("\ngroup = 5\n"), "group.toml:2: 'group' must be a table: [group]");
}

TEST_F(LoadConfig, NamesWhatIsAllowed) {
  EXPECT_EQ(error_of("[group]\n\nring_bytes = 1000\n"),
            "group.toml:3: group.ring_bytes = 1000: must be a power of two from 4096 to "
            "1073741824");
  EXPECT_EQ(error_of("[group]\nring_bytes = 2048\n"),
            "group.toml:2: group.ring_bytes = 2048: must be a power of two from 4096 to "
            "1073741824");
  EXPECT_EQ(error_of("[group]\nring_bytes = \"big\"\n"),
            "group.toml:2: group.ring_bytes = 'big': must be a power of two from 4096 to "
            "1073741824");
  EXPECT_EQ(error_of("[reactor]\nbackoff_spin_ns = 1.5\n"),
            "group.toml:2: reactor.backoff_spin_ns = 1.5: must be a whole number from 0 to "
            "1000000000");
  EXPECT_EQ(error_of("[reactor]\nidle = \"busy\"\n"),
            "group.toml:2: reactor.idle = 'busy': must be one of \"automatic\", \"spin\", "
            "\"yield\", \"backoff\"");
  EXPECT_EQ(error_of("[reactor]\nlock_memory = 1\n"),
            "group.toml:2: reactor.lock_memory = 1: must be true or false");
  EXPECT_EQ(error_of("[reactor]\ncore = -2\n"),
            "group.toml:2: reactor.core = -2: must be a whole number from -1 to 1023");
  EXPECT_EQ(error_of("[group]\nname = \"a b\"\n"),
            "group.toml:2: group.name = 'a b': must be 1 to 40 characters of [a-zA-Z0-9_.-]");
  EXPECT_EQ(error_of("[group]\nmembers = 3\n"),
            "group.toml:2: group.members = 3: must be a list of 1 to 64 distinct names, each of 1 "
            "to 40 characters of [a-zA-Z0-9_.-]");
  EXPECT_EQ(error_of("[group]\nmembers = [1, 2]\n"),
            "group.toml:2: group.members: must be a list of 1 to 64 distinct names, each of 1 to "
            "40 characters of [a-zA-Z0-9_.-]");
}

TEST_F(LoadConfig, NamesTheLineOfWhatDoesNotFitTogether) {
  EXPECT_EQ(error_of("[group]\nself = \"d\"\nmembers = [\"a\", \"b\"]\n"),
            "group.toml:2: group.self = 'd': must be one of group.members: a, b");
  EXPECT_EQ(error_of("[group]\nheartbeat_interval_ns = 30_000_000_000\n"),
            "group.toml: group.silence_timeout_ns = 2000000000 (its default): must be at least 10 "
            "times heartbeat_interval_ns, which is 30000000000");
}

TEST_F(LoadConfig, LeavesMembersAndSelfToTheProgram) {
  EXPECT_TRUE(load("[group]\nmembers = [\"a\", \"b\"]\n"));
  EXPECT_TRUE(load("[group]\nself = \"a\"\n"));
}

TEST_F(LoadConfig, NamesTheLineOfASyntaxError) {
  const std::string message = error_of("[group]\nname = \n");
  EXPECT_TRUE(message.starts_with("group.toml:2: ")) << message;
  EXPECT_TRUE(error_of("[group]\nself = \"a\"\nself = \"b\"\n").starts_with("group.toml:3: "));
}

TEST_F(LoadConfig, NamesAFileItCannotRead) {
  const auto absent = load_config(folder_.file("absent.toml"));
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::system);
  EXPECT_TRUE(
      absent.error().message.ends_with("absent.toml: cannot read it: No such file or "
                                       "directory"))
      << absent.error().message;
  EXPECT_FALSE(load_config(folder_.path()));
  const auto endless = load_config("/dev/zero");
  ASSERT_FALSE(endless);
  EXPECT_NE(endless.error().message.find("longer than"), std::string::npos);
}

TEST_F(LoadConfig, TheEnvironmentOverrides) {
  const Variable ring("LOCKSTEP_GROUP_RING_BYTES", "65536");
  const Variable members("LOCKSTEP_GROUP_MEMBERS", "x,y");
  const Variable senders("LOCKSTEP_GROUP_SENDERS", "");
  const Variable lock("LOCKSTEP_REACTOR_LOCK_MEMORY", "true");
  const Variable idle("LOCKSTEP_REACTOR_IDLE", "yield");
  const Variable core("LOCKSTEP_REACTOR_CORE", "-1");
  const auto config = load("[group]\nring_bytes = 4096\nsenders = [\"a\"]\nname = \"n\"\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->group.ring_bytes, 65'536U);
  EXPECT_EQ(config->group.members, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(config->group.senders.empty());
  EXPECT_EQ(config->group.name, "n");
  EXPECT_TRUE(config->reactor.lock_memory);
  EXPECT_EQ(config->reactor.idle, IdlePolicy::yield);
  EXPECT_EQ(config->reactor.core, -1);
}

TEST_F(LoadConfig, NamesTheVariable) {
  {
    const Variable ring("LOCKSTEP_GROUP_RING_BYTES", "64k");
    EXPECT_EQ(error_of(""),
              "environment variable LOCKSTEP_GROUP_RING_BYTES=64k: must be a power of two from "
              "4096 to 1073741824");
  }
  {
    const Variable ring("LOCKSTEP_GROUP_RING_BYTE", "65536");
    EXPECT_TRUE(error_of("").starts_with(
        "environment variable LOCKSTEP_GROUP_RING_BYTE is not known; did you mean "
        "'LOCKSTEP_GROUP_RING_BYTES'? allowed: LOCKSTEP_GROUP_ADDRESSES, "))
        << error_of("");
  }
  {
    const Variable members("LOCKSTEP_GROUP_MEMBERS", "a,");
    EXPECT_EQ(error_of(""),
              "environment variable LOCKSTEP_GROUP_MEMBERS=a,: \"\" must be 1 to 40 characters of "
              "[a-zA-Z0-9_.-]");
  }
  const Variable other("LOCKSTEP_PLAYGROUND", "1");
  EXPECT_EQ(error_of(""), "(no error)");
}

std::string refusal(const GroupConfig& config) {
  const auto valid = validate(config);
  if (valid) return "(valid)";
  EXPECT_EQ(valid.error().code, ErrorCode::configuration);
  return valid.error().message;
}

TEST(Validate, AcceptsTheDefaultsWithMembers) {
  EXPECT_EQ(refusal(three_members()), "(valid)");
  EXPECT_TRUE(validate(ReactorConfig()));
}

TEST(Validate, WantsSelfAndMembers) {
  GroupConfig config = three_members();
  config.self = "";
  EXPECT_EQ(refusal(config), "group.self = \"\": must be 1 to 40 characters of [a-zA-Z0-9_.-]");
  config.self = "d";
  EXPECT_EQ(refusal(config), "group.self = \"d\": must be one of group.members: a, b, c");
  config.members.clear();
  EXPECT_EQ(refusal(config),
            "group.members: no names; must be a list of 1 to 64 distinct names, each of 1 to 40 "
            "characters of [a-zA-Z0-9_.-]");
}

TEST(Validate, RefusesOddMembers) {
  GroupConfig config = three_members();
  config.members = {"a", "b", "a"};
  EXPECT_EQ(refusal(config), "group.members: \"a\" is named twice");
  config.members = {"a", "b", "c/d"};
  EXPECT_EQ(refusal(config), "group.members: \"c/d\" must be 1 to 40 characters of [a-zA-Z0-9_.-]");
  config.members = {"b", std::string(41, 'x')};
  EXPECT_NE(refusal(config), "(valid)");
  config.members = {"b", std::string(40, 'x')};
  EXPECT_EQ(refusal(config), "(valid)");
}

TEST(Validate, CountsMembers) {
  GroupConfig config = three_members();
  config.members.clear();
  for (int i = 0; i < 64; ++i) config.members.push_back(fmt::format("m{}", i));
  config.self = "m63";
  EXPECT_EQ(refusal(config), "(valid)");
  config.members.emplace_back("m64");
  EXPECT_EQ(refusal(config), "group.members: too many members: 65 named, at most 64");
}

TEST(Validate, SendersAreMembers) {
  GroupConfig config = three_members();
  config.senders = {"c", "a"};
  EXPECT_EQ(refusal(config), "(valid)");
  config.senders = {"c", "e"};
  EXPECT_EQ(refusal(config), "group.senders: \"e\" must be one of group.members: a, b, c");
  config.senders = {"c"};
  config.founders = {"e"};
  EXPECT_EQ(refusal(config), "group.founders: \"e\" must be one of group.members: a, b, c");
  config.founders.clear();
  config.senders = {"c", "c"};
  EXPECT_EQ(refusal(config), "group.senders: \"c\" is named twice");
}

TEST(Validate, AddressesMayBeUnknownButForItsOwn) {
  GroupConfig config = three_members();
  config.self = "b";
  config.addresses = {"", "10.0.0.2:7000", ""};
  EXPECT_EQ(refusal(config), "(valid)");
  config.addresses = {"10.0.0.1:7000", "", ""};
  EXPECT_EQ(
      refusal(config),
      "group.addresses: must name where this member, 'b', listens: only others' addresses can "
      "be learnt");
  config.addresses = {"", "10.0.0.2:7000", "10.0.0.2:7000"};
  EXPECT_EQ(refusal(config), "group.addresses: \"10.0.0.2:7000\" is named twice");
  config.addresses = {"", "10.0.0.2:7000"};
  EXPECT_EQ(refusal(config), "group.addresses: must be as many as group.members: 3 instead of 2");
}

TEST(Validate, WhatCannotBeEncryptedIsNotSaidToBe) {
  GroupConfig config = three_members();
  config.encryption = "always";
  config.key_file = "/etc/orders.key";
  for (const char* transport : {"shm", "auto"}) {
    config.transport = transport;
    EXPECT_NE(refusal(config).find(": cannot be \"always\" "), std::string::npos) << transport;
  }
  config.addresses = {"10.0.0.1:7000", "10.0.0.2:7000", "10.0.0.3:7000"};
  EXPECT_EQ(refusal(config), "(valid)");
  config.transport = "verbs";
  EXPECT_NE(refusal(config), "(valid)");
  config.transport = "tcp";
  EXPECT_EQ(refusal(config), "(valid)");
  config.key_file.clear();
  EXPECT_EQ(refusal(config),
            "group.encryption = \"always\": cannot be \"always\" without group.key_file");
}

TEST(Validate, AnApplicationIsToldInPlainText) {
  GroupConfig config = three_members();
  config.application = std::string(200, 'x');
  EXPECT_EQ(refusal(config), "(valid)");
  config.application = "two\nlines";  // they would be two settings of the compared text
  EXPECT_NE(refusal(config).find("group.application = "), std::string::npos) << refusal(config);
  EXPECT_NE(refusal(config).find("must be at most 200 printable ASCII characters"),
            std::string::npos)
      << refusal(config);
  config.application = std::string(201, 'x');
  EXPECT_NE(refusal(config), "(valid)");
}

TEST(Validate, SilenceIsTenHeartbeats) {
  GroupConfig config = three_members();
  config.heartbeat_interval_ns = 10'000'000;
  config.silence_timeout_ns = 100'000'000;
  EXPECT_EQ(refusal(config), "(valid)");
  config.silence_timeout_ns = 99'999'999;
  EXPECT_EQ(refusal(config),
            "group.silence_timeout_ns = 99999999: must be at least 10 times heartbeat_interval_ns, "
            "which is 10000000");
}

TEST(Validate, BoundsTheMailbox) {
  GroupConfig config = three_members();
  config.mailbox_slots = 1 << 20;
  config.mailbox_payload_bytes = 2'048;
  EXPECT_EQ(refusal(config),
            "group.mailbox_slots = 1048576: times mailbox_payload_bytes (2048) is 2147483648 "
            "bytes: must be at most 1073741824");
}

TEST(Validate, RefusesNumbersNoFileCanHold) {
  GroupConfig config = three_members();
  config.ring_bytes = std::uint64_t{1} << 63;
  EXPECT_NE(refusal(config), "(valid)");
  ReactorConfig reactor;
  reactor.idle = static_cast<IdlePolicy>(9);
  EXPECT_FALSE(validate(reactor));
}

TEST(CanonicalText, HoldsWhatMembersMustAgreeOn) {
  GroupConfig config = three_members();
  config.name = "orders";
  EXPECT_EQ(runtime::canonical_text(config),
            "name=orders\nmembers=a,b,c\nfounders=a,b,c\nsenders=a,b,c\napplication=\ntransport="
            "auto\nencryption=automatic\n"
            "dpdk_encapsulation=ethernet\n"
            "ring_bytes=1048576\n"
            "heartbeat_interval_ns=100000000\nsilence_timeout_ns=2000000000\n"
            "slow_lag=1000\nslow_timeout_ns=1000000000\nslow_evicts=false\n");
}

TEST(CanonicalText, IgnoresWhatMayDiffer) {
  const GroupConfig config = three_members();
  GroupConfig other = config;
  other.self = "c";
  other.addresses = {"", "10.0.0.2:7000", "10.0.0.3:7000"};
  other.key_file = "/run/orders/key";
  other.join_timeout_ns = 1'000'000;
  other.mailbox_slots = 2;
  other.mailbox_payload_bytes = 8;
  other.senders = {"c", "b", "a"};
  EXPECT_EQ(runtime::canonical_text(config), runtime::canonical_text(other));
  EXPECT_EQ(
      runtime::first_difference(runtime::canonical_text(config), runtime::canonical_text(other)),
      "");
}

TEST(FirstDifference, NamesBothValues) {
  const GroupConfig config = three_members();
  const auto against = [&](const GroupConfig& other) {
    return runtime::first_difference(runtime::canonical_text(config),
                                     runtime::canonical_text(other));
  };
  GroupConfig other = config;
  other.ring_bytes = 65'536;
  EXPECT_EQ(against(other), "ring_bytes is 1048576 here and 65536 there");
  other.members = {"b", "a", "c"};
  EXPECT_EQ(against(other), "members is a,b,c here and b,a,c there");
}

TEST(FirstDifference, StandsWhateverAPeerSays) {
  EXPECT_EQ(runtime::first_difference("a=1\n", ""), "a is 1 here and not stated there");
  EXPECT_EQ(runtime::first_difference("a=1\n", "a=1\nb=2\n"), "b is not stated here and 2 there");
  EXPECT_EQ(runtime::first_difference("a=1\n", "a=\x1b[2J\n"), "a is 1 here and ?[2J there");
  EXPECT_EQ(runtime::first_difference("a=1\n", "a=\n"), "a is 1 here and empty there");
  EXPECT_NE(runtime::first_difference("a=1\n", "a=1\na=1\n"), "");
  EXPECT_NE(runtime::first_difference("a=1\n", "a=1"), "");
}

}  // namespace
}  // namespace lockstep
