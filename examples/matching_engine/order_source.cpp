#include "examples/matching_engine/order_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "examples/matching_engine/itch_reader.hpp"
#include "examples/matching_engine/lobster_reader.hpp"

namespace lockstep::examples {
namespace {

class FirstOrders final : public OrderSource {
 public:
  FirstOrders(std::unique_ptr<OrderSource> source, std::uint64_t most)
      : source_(std::move(source)), most_(most), left_(most) {}

  Expected<std::size_t> next(std::span<OrderMessage> into) override {
    if (left_ == 0) return std::size_t{0};
    auto got = source_->next(
        into.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, into.size()))));
    if (got) left_ -= *got;
    return got;
  }

  void rewind() override {
    source_->rewind();
    left_ = most_;
  }

 private:
  std::unique_ptr<OrderSource> source_;
  std::uint64_t most_;
  std::uint64_t left_;
};

}  // namespace

Expected<FlowSummary> check_whole(OrderSource& source) {
  FlowSummary summary;
  std::array<OrderMessage, 256> orders;
  while (true) {
    const auto got = source.next(orders);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    if (summary.orders == 0) summary.first_time_ns = orders[0].time_ns;
    summary.last_time_ns = std::max(summary.last_time_ns, orders[*got - 1].time_ns);
    summary.orders += *got;
  }
  source.rewind();
  return summary;
}

Expected<std::unique_ptr<OrderSource>> open_order_file(const std::string& path,
                                                       std::string_view format) {
  auto bytes = open_input_file(path);
  if (!bytes) return std::unexpected(bytes.error());
  return open_orders(std::move(*bytes), format);
}

Expected<std::unique_ptr<OrderSource>> open_orders(std::unique_ptr<ByteSource> bytes,
                                                   std::string_view format) {
  if (format == "auto") {
    std::array<std::byte, 1> first{};
    const auto got = bytes->read_at(0, first);
    if (!got) return std::unexpected(got.error());
    format = first[0] == std::byte{0} ? "itch" : "lobster";
  }
  if (format == "itch") return std::make_unique<ItchReader>(std::move(bytes));
  if (format == "lobster") return std::make_unique<LobsterReader>(std::move(bytes));
  return fail(ErrorCode::invalid_argument,
              fmt::format("unknown format \"{}\": it is auto, lobster or itch", format));
}

std::unique_ptr<OrderSource> first_orders(std::unique_ptr<OrderSource> source, std::uint64_t most) {
  return std::make_unique<FirstOrders>(std::move(source), most);
}

}  // namespace lockstep::examples
