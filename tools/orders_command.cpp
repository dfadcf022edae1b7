#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "examples/matching_engine/byte_source.hpp"
#include "examples/matching_engine/generator.hpp"
#include "examples/matching_engine/order_source.hpp"
#include "tools/commands.hpp"
#include "tools/member_argument.hpp"
#include "tools/node/orders_client.hpp"

namespace lockstep::tools {
namespace {

using examples::EngineCounts;
using examples::OrderMessage;

constexpr const char* kTimeout = "seconds to wait for each answer";
constexpr std::uint64_t kMadeUpOrders = 100'000;

struct OrdersArguments : MemberArgument {
  std::string input = "-";
  std::string format = "auto";
  std::optional<std::uint64_t> seed{};  ///< made up, in place of the input
  std::uint64_t orders = 0;             ///< 0: all, or kMadeUpOrders
  std::uint64_t id_offset = 0;
  std::size_t window = node::kUsualOrdersPerRequest;
  bool ordered = false;
};

template <class T>
T need(Expected<T> result, int otherwise = kFailed) {
  if (!result) end_program(otherwise, result.error().message);
  return std::move(*result);
}

node::OrdersClient connect(const OrdersArguments& arguments) {
  const auto address = need(node::parse_address(arguments.address), kMisused);
  return need(node::OrdersClient::connect(address, arguments.timeout_ms()));
}

std::unique_ptr<examples::OrderSource> open_source(const OrdersArguments& arguments) {
  const std::uint64_t orders = arguments.orders;
  if (arguments.seed) {
    return std::make_unique<examples::OrderGenerator>(*arguments.seed,
                                                      orders == 0 ? kMadeUpOrders : orders);
  }
  auto source = arguments.input == "-"
                    ? examples::open_orders(examples::bytes_of_pipe("standard input", STDIN_FILENO),
                                            arguments.format)
                    : examples::open_order_file(arguments.input, arguments.format);
  if (orders == 0) return need(std::move(source));
  return examples::first_orders(need(std::move(source)), orders);
}

/// So that two clients with the same file name no orders of each other.
void move_ids(std::span<OrderMessage> orders, std::uint64_t offset) {
  for (OrderMessage& order : orders) {
    if (order.order_id != 0) order.order_id += offset;
    if (order.new_order_id != 0) order.new_order_id += offset;
  }
}

void add(EngineCounts& sum, const EngineCounts& counts) {
  sum.orders += counts.orders;
  sum.events += counts.events;
  sum.fills += counts.fills;
  sum.unknown_ids += counts.unknown_ids;
  sum.rejected += counts.rejected;
}

void print_counts(const EngineCounts& counts) {
  fmt::print("  {} orders, {} events, {} fills, {} unknown ids, {} rejected\n", counts.orders,
             counts.events, counts.fills, counts.unknown_ids, counts.rejected);
}

void print(const node::EngineDigest& digest) {
  fmt::print("digest {} of all that the group applied, {} orders rest\n",
             examples::to_hex(digest.digest), digest.resting);
  print_counts(digest.counts);
}

/// Sends all there is, and keeps count of what was applied. Errors: those of the source and of the
/// client.
Expected<void> send_all(examples::OrderSource& source, node::OrdersClient& client,
                        const OrdersArguments& arguments, EngineCounts& applied) {
  std::vector<OrderMessage> orders(arguments.window);
  while (true) {
    const auto got = source.next(orders);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return {};
    const auto some = std::span(orders).first(*got);
    move_ids(some, arguments.id_offset);
    const auto answer = client.send(some);
    if (!answer) {
      return fail(answer.error().code,
                  fmt::format("orders {} to {} of the input: {}", applied.orders + 1,
                              applied.orders + *got, answer.error().message));
    }
    add(applied, answer->counts);
  }
}

void send(const OrdersArguments& arguments) {
  const auto source = open_source(arguments);
  auto client = connect(arguments);
  const auto began = std::chrono::steady_clock::now();
  EngineCounts applied;
  const auto sent = send_all(*source, client, arguments, applied);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  fmt::print("applied in {:.2f} s:\n", took.count());
  print_counts(applied);
  if (!sent) end_program(kFailed, sent.error().message);
  print(need(client.digest(true)));
}

void digest(const OrdersArguments& arguments) {
  print(need(connect(arguments).digest(arguments.ordered)));
}

}  // namespace

void add_orders(CLI::App& app) {
  const auto arguments = std::make_shared<OrdersArguments>();
  CLI::App* orders =
      app.add_subcommand("orders", "Talk to the matching engine of a `lockstep node`");
  orders->require_subcommand(1);

  CLI::App* one = add_member_command(
      *orders, "send", "Send a file of orders; returns when that member applied them all", kTimeout,
      *arguments);
  one->add_option("--input", arguments->input, "file of orders, LOBSTER or ITCH; -: standard input")
      ->capture_default_str();
  one->add_option("--format", arguments->format, "format of the input")
      ->check(CLI::IsMember({"auto", "lobster", "itch"}))
      ->capture_default_str();
  one->add_option("--seed", arguments->seed, "make orders up, in place of an input");
  one->add_option("--orders", arguments->orders,
                  fmt::format("stop after so many (default: all, or {} made up)", kMadeUpOrders))
      ->check(CLI::PositiveNumber);
  one->add_option("--id-offset", arguments->id_offset,
                  "added to each order's id, so that several clients can send one file");
  one->add_option("--window", arguments->window,
                  "orders on their way at a time, as one message; group.mailbox_payload_bytes "
                  "bounds it: 12 bytes, and 40 for each")
      ->check(CLI::Range(std::size_t{1}, node::kMostOrdersPerRequest))
      ->capture_default_str();
  one->callback([arguments] { send(*arguments); });

  one = add_member_command(*orders, "digest", "Show what that member has come to", kTimeout,
                           *arguments);
  one->add_flag("--ordered", arguments->ordered,
                "ask through the order: covers all orders confirmed before, by any member");
  one->callback([arguments] { digest(*arguments); });
}

}  // namespace lockstep::tools
