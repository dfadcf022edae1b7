#include "bench/verbs_floors.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "bench/floor_stream.hpp"
#include "runtime/endpoint.hpp"

namespace lockstep::bench {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);
constexpr std::uint64_t kLast = 1;  // a ping's number times two, plus one on the last of a block
constexpr std::size_t kRingBytes = 1024 * 1024;
/// In front of the ring: the word that says how far the other end has read.
constexpr std::size_t kHeadBytes = 64;
/// At most so much with one write.
constexpr std::size_t kBurstBytes = 64 * 1024;

std::size_t whole_words(std::uint64_t payload_bytes) noexcept {
  return std::max<std::size_t>((payload_bytes + kWord - 1) / kWord * kWord, kWord);
}

std::atomic_ref<std::uint64_t> word_at(std::byte* place) noexcept {
  return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(place));
}

Expected<VerbsLane> connected_lane(Session& session, std::uint32_t rank, std::size_t first_address,
                                   std::size_t bytes, Patience& patience) {
  const auto endpoint = runtime::parse_endpoint(session.plan.addresses[rank]);
  if (!endpoint) return std::unexpected(endpoint.error());
  auto lane = VerbsLane::open(runtime::host_of(*endpoint), bytes);
  if (!lane) return lane;
  auto connected = lane->connect(session.lanes[first_address + rank],
                                 session.lanes[first_address + 1 - rank], patience);
  if (!connected) return std::unexpected(connected.error());
  return lane;
}

}  // namespace

// ---- ping --------------------------------------------------------------------------------------

VerbsPing::VerbsPing(Session& session, std::uint32_t rank)
    : PingFloor(session.plan.options.payload_bytes),
      session_(session),
      rank_(rank),
      message_bytes_(whole_words(session.plan.options.payload_bytes)),
      patience_(session.clock, session.floor_gives_way()) {}

Expected<void> VerbsPing::connect() {
  if (lane_) return {};
  auto lane = connected_lane(session_, rank_, 0, message_bytes_, patience_);
  if (!lane) return std::unexpected(lane.error());
  lane_.emplace(std::move(*lane));
  return {};
}

bool VerbsPing::send(std::uint64_t number) {
  std::byte* const message = lane_->source().data();
  fill({message, message_bytes_ - kWord}, number);
  std::memcpy(message + message_bytes_ - kWord, &number, kWord);
  return lane_->write(0, message_bytes_);
}

std::uint64_t VerbsPing::receive(std::uint64_t number) {
  patience_.renew();
  std::byte* const message = lane_->inbound().data();
  const auto flag = word_at(message + message_bytes_ - kWord);
  std::uint64_t found = flag.load(std::memory_order_acquire);
  while (found / 2 != number) {
    if (!patience_.wait()) return 0;
    found = flag.load(std::memory_order_acquire);
  }
  consumed_ += sum({message, message_bytes_ - kWord});
  // The compiler must believe that somebody looks at the sum.
  asm volatile("" : : "r"(consumed_));
  return found;
}

Expected<bool> VerbsPing::measure(std::uint64_t round_trips, std::uint64_t timeout_ns,
                                  launch::Histogram& histogram) {
  if (auto connected = connect(); !connected) return std::unexpected(connected.error());
  constexpr std::uint64_t kUntimed = 32;
  std::uint64_t now_ns = session_.clock.now_ns();
  const std::uint64_t deadline_ns = now_ns + timeout_ns;
  for (std::uint64_t i = 0;; ++i) {
    const bool all = i == kUntimed + round_trips;
    const std::uint64_t last = all || now_ns > deadline_ns ? kLast : 0;
    ++number_;
    const std::uint64_t sent_ns = session_.clock.now_ns();
    if (!send(number_ * 2 + last) || receive(number_) == 0) return silent_pair();
    now_ns = session_.clock.now_ns();
    if (last != 0) return all;
    if (i >= kUntimed) histogram.record(now_ns - sent_ns);
  }
}

Expected<void> VerbsPing::echo() {
  if (auto connected = connect(); !connected) return std::unexpected(connected.error());
  for (std::uint64_t found = 0; (found & kLast) == 0;) {
    found = receive(++number_);
    if (found == 0 || !send(found)) return silent_pair();
  }
  return {};
}

// ---- stream ------------------------------------------------------------------------------------

VerbsStream::VerbsStream(Session& session, std::uint32_t rank)
    : session_(session),
      rank_(rank),
      stride_(whole_words(session.plan.options.payload_bytes) + kWord),
      slots_(std::max<std::uint64_t>(std::bit_floor(kRingBytes / stride_), 4)),
      messages_(stream_block_messages(session.plan.options.payload_bytes) / 10),
      patience_(session.clock, session.floor_gives_way()),
      meeting_(session, session.floor_gives_way()) {}

Expected<void> VerbsStream::connect() {
  if (lane_) return {};
  auto lane = connected_lane(session_, rank_, 2, kHeadBytes + slots_ * stride_, patience_);
  if (!lane) return std::unexpected(lane.error());
  lane_.emplace(std::move(*lane));
  return {};
}

/// Writes what there is room for, up to a burst or the ring's end.
bool VerbsStream::produce() {
  const std::uint64_t read = word_at(lane_->inbound().data()).load(std::memory_order_acquire);
  const std::uint64_t first = sent_ % slots_;
  const std::uint64_t count =
      std::min<std::uint64_t>({to_send_ - sent_, read + slots_ - sent_, slots_ - first,
                               std::max<std::uint64_t>(kBurstBytes / stride_, 1)});
  if (count == 0) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::byte* const slot = lane_->source().data() + kHeadBytes + (first + i) * stride_;
    const std::uint64_t number = sent_ + i + 1;
    fill({slot, stride_ - kWord}, number);
    std::memcpy(slot + stride_ - kWord, &number, kWord);
  }
  if (!lane_->write(kHeadBytes + first * stride_, count * stride_)) return false;
  sent_ += count;
  return true;
}

bool VerbsStream::consume() {
  const std::uint64_t before = received_;
  while (received_ < to_receive_) {
    std::byte* const slot = lane_->inbound().data() + kHeadBytes + received_ % slots_ * stride_;
    const auto flag = word_at(slot + stride_ - kWord);
    if (flag.load(std::memory_order_acquire) != received_ + 1) break;
    digest_.add(received_, 0, sum({slot, stride_ - kWord}));
    ++received_;
  }
  const bool due = received_ - acknowledged_ >= slots_ / 4;
  if (due || (received_ == to_receive_ && received_ != acknowledged_)) {
    std::memcpy(lane_->source().data(), &received_, kWord);
    if (lane_->write(0, kWord)) acknowledged_ = received_;
  }
  return received_ != before;
}

Expected<StreamFloor::Block> VerbsStream::run() {
  if (auto connected = connect(); !connected) return std::unexpected(connected.error());
  const bool both_ways = session_.plan.senders > 1;
  if (both_ways || rank_ == 0) to_send_ += messages_;
  if (both_ways || rank_ == 1) to_receive_ += messages_;
  if (auto met = meeting_.meet(); !met) return std::unexpected(met.error());
  const std::uint64_t start_ns = session_.clock.now_ns();
  patience_.renew();
  while (sent_ < to_send_ || received_ < to_receive_ || acknowledged_ < received_) {
    const bool wrote = produce();
    const bool read = consume();
    const bool progress = wrote || read;
    if (progress) patience_.renew();
    if (lane_->broken() || (!progress && !patience_.wait())) return silent_pair();
  }
  if (auto met = meeting_.meet(); !met) return std::unexpected(met.error());
  return Block{messages_ * (both_ways ? 2 : 1), session_.clock.now_ns() - start_ns};
}

}  // namespace lockstep::bench
