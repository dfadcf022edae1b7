#include "examples/matching_engine/engine_snapshot.hpp"

#include <fmt/format.h>

#include <cstring>
#include <type_traits>

#include "examples/matching_engine/digest.hpp"

namespace lockstep::examples {
namespace {

constexpr std::array<char, 8> kMagic{'L', 'S', 'K', 'E', 'N', 'G', '0', '1'};

struct Head {
  std::array<char, 8> magic;
  std::uint64_t most_orders;
  std::uint64_t orders;
  std::uint64_t malformed;
  std::uint64_t finished;  ///< 0 or 1
  std::uint64_t events_digest;
  std::array<std::uint64_t, kEventKinds> events_by_kind;
  std::uint64_t unknown_executions;
  std::uint64_t resting;
  std::uint64_t check;  ///< over the head with a check of 0, then over each resting order
};
static_assert(std::has_unique_object_representations_v<Head>);
static_assert(sizeof(Head) == 160);

struct Resting {
  std::uint64_t order_id;
  std::uint32_t price;
  std::uint32_t quantity;
  std::uint16_t instrument;
  std::uint8_t side;
  std::array<std::uint8_t, 5> zero;
};
static_assert(std::has_unique_object_representations_v<Resting>);
static_assert(sizeof(Resting) == 24);

Digest digest_of(Head head) {
  head.check = 0;
  Digest digest;
  digest.add(head);
  return digest;
}

std::unexpected<Error> refuse(const std::string& why) {
  return fail(ErrorCode::input, fmt::format("the state of the matching engine: {}", why));
}

/// The head, if the bytes have the size that it says.
Expected<Head> head_of(std::span<const std::byte> bytes) {
  Head head;
  if (bytes.size() < sizeof head) {
    return refuse(fmt::format("{} bytes, but its head has {}", bytes.size(), sizeof head));
  }
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.magic != kMagic) return refuse("it does not begin like one");
  const std::size_t rest = bytes.size() - sizeof head;
  if (rest % sizeof(Resting) != 0 || rest / sizeof(Resting) != head.resting) {
    return refuse(fmt::format("{} bytes after its head, but {} resting orders of {} bytes each",
                              rest, head.resting, sizeof(Resting)));
  }
  if (head.finished > 1) return refuse(fmt::format("finished is {}", head.finished));
  return head;
}

}  // namespace

std::vector<std::byte> encode(const EngineSnapshot& snapshot) {
  Head head{.magic = kMagic,
            .most_orders = snapshot.most_orders,
            .orders = snapshot.orders,
            .malformed = snapshot.malformed,
            .finished = snapshot.finished ? 1U : 0U,
            .events_digest = snapshot.events_digest,
            .events_by_kind = snapshot.events_by_kind,
            .unknown_executions = snapshot.unknown_executions,
            .resting = snapshot.resting.size(),
            .check = 0};
  std::vector<std::byte> bytes(sizeof head + snapshot.resting.size() * sizeof(Resting));
  Digest check = digest_of(head);
  std::byte* at = bytes.data() + sizeof head;
  for (const RestingOrder& order : snapshot.resting) {
    const Resting record{order.order_id,
                         order.price,
                         order.quantity,
                         order.instrument,
                         static_cast<std::uint8_t>(order.side),
                         {}};
    check.add(record);
    std::memcpy(at, &record, sizeof record);
    at += sizeof record;
  }
  head.check = check.value();
  std::memcpy(bytes.data(), &head, sizeof head);
  return bytes;
}

std::size_t most_snapshot_bytes(std::uint64_t most_orders) noexcept {
  return sizeof(Head) + most_orders * sizeof(Resting);
}

Expected<EngineSnapshot> decode(std::span<const std::byte> bytes) {
  const auto head = head_of(bytes);
  if (!head) return std::unexpected(head.error());
  EngineSnapshot snapshot{.most_orders = head->most_orders,
                          .orders = head->orders,
                          .malformed = head->malformed,
                          .finished = head->finished == 1,
                          .events_digest = head->events_digest,
                          .events_by_kind = head->events_by_kind,
                          .unknown_executions = head->unknown_executions,
                          .resting = {}};
  snapshot.resting.reserve(head->resting);
  Digest check = digest_of(*head);
  for (std::size_t at = sizeof(Head); at < bytes.size(); at += sizeof(Resting)) {
    Resting record;
    std::memcpy(&record, bytes.data() + at, sizeof record);
    check.add(record);
    snapshot.resting.push_back({record.order_id, record.price, record.quantity, record.instrument,
                                static_cast<Side>(record.side)});
  }
  if (check.value() != head->check) {
    return refuse(fmt::format("it is damaged: its check is {}, not {}", to_hex(check.value()),
                              to_hex(head->check)));
  }
  return snapshot;
}

}  // namespace lockstep::examples
