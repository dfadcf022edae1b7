#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

#include "tools/commands.hpp"
#include "tools/member_argument.hpp"
#include "tools/node/kv_client.hpp"

namespace lockstep::tools {
namespace {

constexpr const char* kTimeout = "seconds to wait for an answer";

struct KvArguments : MemberArgument {
  std::string key;
  std::string value;
  bool ordered = false;
};

template <class T>
T need(Expected<T> result) {
  if (!result) {
    const bool misused = result.error().code == ErrorCode::invalid_argument;
    end_program(misused ? kMisused : kFailed, result.error().message);
  }
  return std::move(*result);
}

node::KvClient connect(const KvArguments& arguments) {
  const auto address = need(node::parse_address(arguments.address));
  return need(node::KvClient::connect(address, arguments.timeout_ms()));
}

void check_key(const std::string& key) {
  if (key.empty() || key.size() > node::kMostKeyBytes) {
    end_program(kMisused, fmt::format("KEY has {} bytes; 1 to {} are allowed", key.size(),
                                      node::kMostKeyBytes));
  }
}

void put(const KvArguments& arguments) {
  check_key(arguments.key);
  if (arguments.value.size() > node::kMostValueBytes) {
    end_program(kMisused, fmt::format("VALUE has {} bytes; at most {} are allowed",
                                      arguments.value.size(), node::kMostValueBytes));
  }
  const auto sequence = connect(arguments).put(arguments.key, arguments.value);
  if (!sequence) end_program(kFailed, sequence.error().message);
  fmt::print("applied at sequence {}\n", *sequence);
}

void get(const KvArguments& arguments) {
  check_key(arguments.key);
  const auto value = connect(arguments).get(arguments.key, arguments.ordered);
  if (!value) end_program(kFailed, value.error().message);
  if (!*value) end_program(kAbsent, fmt::format("there is no key '{}'", arguments.key));
  fmt::print("{}\n", **value);
}

/// What does not print comes out as \xNN, so that an entry stays on its line.
std::string printable(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto code = static_cast<unsigned char>(byte);
    if (code >= 0x20 && code != 0x7f && code != '\\') {
      text += byte;
    } else {
      text += fmt::format("\\x{:02x}", code);
    }
  }
  return text;
}

void list(const KvArguments& arguments) {
  const auto listed = connect(arguments).list([](const node::Entry& entry) {
    fmt::print("{} = {}\n", printable(entry.key), printable(entry.value));
  });
  if (!listed) end_program(kFailed, listed.error().message);
}

}  // namespace

void add_kv(CLI::App& app) {
  const auto arguments = std::make_shared<KvArguments>();
  CLI::App* kv = app.add_subcommand("kv", "Talk to the key-value store of a `lockstep node`");
  kv->require_subcommand(1);

  CLI::App* one = add_member_command(*kv, "put", "Set a key; returns when that member applied it",
                                     kTimeout, *arguments);
  one->add_option("KEY", arguments->key)->required();
  one->add_option("VALUE", arguments->value)->required();
  one->callback([arguments] { put(*arguments); });

  one =
      add_member_command(*kv, "get", "Show a key as that member has it now; status 3: no such key",
                         kTimeout, *arguments);
  one->add_option("KEY", arguments->key)->required();
  one->add_flag("--ordered", arguments->ordered,
                "ask through the order: sees all puts confirmed before, by any member");
  one->callback([arguments] { get(*arguments); });

  one = add_member_command(*kv, "list", "Show all keys and values as that member has them",
                           kTimeout, *arguments);
  one->callback([arguments] { list(*arguments); });
}

}  // namespace lockstep::tools
