#include "transports/verbs/link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/assert.hpp"
#include "runtime/entropy.hpp"
#include "runtime/topology.hpp"
#include "runtime/word.hpp"

namespace lockstep::transports {
namespace {

/// Enough for a frame of a few cache lines; what is granted is used.
constexpr std::uint32_t kWantedInlineBytes = 256;
/// Requests are split above this: a length has 32 bits, and a device its own limit.
constexpr std::uint64_t kMostRequestBytes = std::uint64_t{1} << 30U;
/// A request nobody answers is repeated after 4.096 µs × 2^14 = 67 ms, 6 times: after 7 × 67 ms =
/// 0.47 s the peer is unreachable. (A device may take up to 4 times as long, IB spec 1.4,
/// §9.7.6.1.3.) Shorter would take a stalled switch or hypervisor for a death; a process that dies
/// is seen earlier, by the socket over which the members met. Not 7 times: Soft-RoCE takes 7 for
/// without end, as it means for receiver-not-ready retries.
constexpr std::uint8_t kAckTimeoutExponent = 14;
constexpr std::uint8_t kRetries = 6;
/// Without end; see the class comment.
constexpr std::uint8_t kReceiverNotReadyRetries = 7;
/// Code 8 is 0.16 ms (IB spec 1.4, table 45): how soon such a retry comes.
constexpr std::uint8_t kReceiverNotReadyTimer = 8;
constexpr std::uint8_t kHopLimit = 64;
constexpr std::uint32_t kMost24Bits = 0xff'ffff;

int bytes_of_mtu(std::uint8_t mtu) { return 128 << mtu; }

}  // namespace

Expected<void> VerbsLink::create(const VerbsDevice& device, ibv_cq* completions, LinkId link,
                                 const LinkShape& shape) {
  link_ = link;
  state_ = State::waiting;
  region_bytes_ = shape.region_bytes;
  auto first_packet = runtime::random_word();
  if (!first_packet) return std::unexpected(first_packet.error());
  first_packet_ = static_cast<std::uint32_t>(*first_packet) & kMost24Bits;
  if (auto made = make_memory(device, shape); !made) return made;
  auto inline_bytes = make_queue_pair(device, completions);
  if (!inline_bytes) return std::unexpected(inline_bytes.error());
  if (auto made = make_sends(device, *inline_bytes, shape.source_key); !made) return made;
  keeps_order_ = shape.trust_order &&
                 ::ibv_query_qp_data_in_order(queue_pair_.get(), IBV_WR_RDMA_WRITE, 0) == 1;
  if (const int error = initialise(device); error != 0) {
    return fail(ErrorCode::system, fmt::format("a queue pair of {} cannot be initialised: {}",
                                               device.text(), std::strerror(error)));
  }
  return {};
}

Expected<void> VerbsLink::make_memory(const VerbsDevice& device, const LinkShape& shape) {
  constexpr const char* kPurpose = "the region of a peer";
  // On its node before it is registered: the device's pages cannot be moved any more.
  auto memory = make_block(region_bytes_ * kRegionCopies + kControlWords * sizeof(std::uint64_t),
                           kPurpose, shape.blocks, notices_);
  if (!memory) return std::unexpected(memory.error());
  memory_ = std::move(*memory);
  auto region = device.register_memory(memory_.bytes(),
                                       IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE, kPurpose);
  if (!region) return std::unexpected(region.error());
  region_ = std::move(*region);
  return {};
}

Expected<std::uint32_t> VerbsLink::make_queue_pair(const VerbsDevice& device, ibv_cq* completions) {
  ibv_qp_init_attr wanted{};
  wanted.send_cq = wanted.recv_cq = completions;
  wanted.qp_type = IBV_QPT_RC;
  wanted.cap.max_send_wr = kSends;
  wanted.cap.max_recv_wr = kReceives;
  wanted.cap.max_send_sge = wanted.cap.max_recv_sge = 1;
  wanted.cap.max_inline_data = kWantedInlineBytes;
  queue_pair_.reset(::ibv_create_qp(device.domain(), &wanted));
  if (!queue_pair_) {
    // Some devices refuse what they cannot grant instead of granting less.
    wanted.cap.max_inline_data = 0;
    queue_pair_.reset(::ibv_create_qp(device.domain(), &wanted));
  }
  if (!queue_pair_) {
    const int error = errno;
    return fail(
        error == ENOMEM ? ErrorCode::no_memory : ErrorCode::system,
        fmt::format("{} refuses a queue pair of {} requests and {} receives (it has {} queue "
                    "pairs of up to {}): {}",
                    device.name(), kSends, kReceives, device.limits().max_qp,
                    device.limits().max_qp_wr, VerbsDevice::text_of_error(error)));
  }
  return wanted.cap.max_inline_data;
}

Expected<void> VerbsLink::make_sends(const VerbsDevice& device, std::uint32_t inline_bytes,
                                     std::uint32_t source_key) {
  const std::uint64_t longest =
      std::min<std::uint64_t>(device.port_state().max_msg_sz, kMostRequestBytes) /
      sizeof(std::uint64_t) * sizeof(std::uint64_t);
  if (longest == 0 || region_bytes_ / longest >= kSends / 4) {
    return fail(
        ErrorCode::not_supported,
        fmt::format("{} writes at most {} bytes at a time: too few for regions of {} bytes; "
                    "use smaller rings",
                    device.text(), longest, region_bytes_));
  }
  sends_ = SendQueue({.depth = kSends,
                      .inline_bytes = inline_bytes,
                      .source_key = source_key,
                      .longest_bytes = longest,
                      .request_id_base = std::uint64_t{link_} << 32U});
  if (inline_bytes >= kInlineBytes) return {};
  auto staging = device.register_memory(sends_.staging(), 0, "copies of small writes");
  if (!staging) return std::unexpected(staging.error());
  staging_ = std::move(*staging);
  sends_.set_staging_key(staging_->lkey);
  return {};
}

int VerbsLink::initialise(const VerbsDevice& device) noexcept {
  ibv_qp_attr attributes{};
  attributes.qp_state = IBV_QPS_INIT;
  attributes.pkey_index = 0;
  attributes.port_num = device.port();
  attributes.qp_access_flags = IBV_ACCESS_REMOTE_WRITE;
  const int error =
      ::ibv_modify_qp(queue_pair_.get(), &attributes,
                      IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
  if (error != 0) return error;
  return post_receives(kReceives) ? 0 : EIO;
}

VerbsParameters VerbsLink::parameters(const VerbsDevice& device) const {
  return {.queue_pair = queue_pair_->qp_num,
          .packet_number = first_packet_,
          .ethernet = device.is_ethernet(),
          .lid = device.port_state().lid,
          .gid = device.gid(),
          .path_mtu = static_cast<std::uint8_t>(device.port_state().active_mtu),
          .keeps_order = keeps_order_,
          .region_bytes = region_bytes_,
          .region_address = reinterpret_cast<std::uint64_t>(memory_.data()),
          .region_key = region_->rkey};
}

Expected<void> VerbsLink::connect(const VerbsDevice& device, const VerbsParameters& peer) {
  LOCKSTEP_ASSERT(state_ == State::waiting);
  if (auto agreed = agree(device, peer); !agreed) return agreed;
  int error = ready_to_receive(device, peer);
  if (error == 0) error = ready_to_send();
  if (error != 0) {
    return fail(
        ErrorCode::system,
        fmt::format("{} cannot be connected to queue pair {} at {} (MTU {} bytes): {}; check "
                    "that the peer's address is reachable (ping)",
                    device.text(), peer.queue_pair, text_of(peer.gid), bytes_of_mtu(peer.path_mtu),
                    std::strerror(error)));
  }
  sends_.set_target(peer.region_address, peer.region_key);
  state_ = State::up;
  return {};
}

Expected<void> VerbsLink::agree(const VerbsDevice& device, const VerbsParameters& peer) const {
  if (peer.region_bytes != region_bytes_) {
    return fail(ErrorCode::mismatch, fmt::format("the peer's regions have {} bytes, this member's "
                                                 "{}; use one configuration for all members",
                                                 peer.region_bytes, region_bytes_));
  }
  const auto layer = [](bool ethernet) { return ethernet ? "RoCE" : "InfiniBand"; };
  if (peer.ethernet != device.is_ethernet()) {
    return fail(ErrorCode::mismatch,
                fmt::format("the peer's device speaks {}, {} of this member {}; choose devices of "
                            "one kind",
                            layer(peer.ethernet), device.name(), layer(device.is_ethernet())));
  }
  if (peer.keeps_order != keeps_order_) {
    const auto promise = [](bool keeps) { return keeps ? "keeps" : "does not keep"; };
    return fail(ErrorCode::mismatch,
                fmt::format("the peer's device {} the order of bytes inside a write, {} of this "
                            "member {} it; use devices of one kind in a group",
                            promise(peer.keeps_order), device.name(), promise(keeps_order_)));
  }
  return {};
}

int VerbsLink::ready_to_receive(const VerbsDevice& device, const VerbsParameters& peer) noexcept {
  const auto own_mtu = static_cast<std::uint8_t>(device.port_state().active_mtu);
  ibv_qp_attr attributes{};
  attributes.qp_state = IBV_QPS_RTR;
  attributes.path_mtu = static_cast<ibv_mtu>(std::min(own_mtu, peer.path_mtu));
  attributes.dest_qp_num = peer.queue_pair;
  attributes.rq_psn = peer.packet_number;
  attributes.max_dest_rd_atomic = 1;  // no reads are done, but some drivers refuse 0
  attributes.min_rnr_timer = kReceiverNotReadyTimer;
  attributes.ah_attr.port_num = device.port();
  if (device.is_ethernet()) {
    attributes.ah_attr.is_global = 1;
    std::memcpy(attributes.ah_attr.grh.dgid.raw, peer.gid.data(), peer.gid.size());
    attributes.ah_attr.grh.sgid_index = device.gid_index();
    attributes.ah_attr.grh.hop_limit = kHopLimit;
  } else {
    attributes.ah_attr.dlid = peer.lid;
  }
  return ::ibv_modify_qp(queue_pair_.get(), &attributes,
                         IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
                             IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
}

int VerbsLink::ready_to_send() noexcept {
  ibv_qp_attr attributes{};
  attributes.qp_state = IBV_QPS_RTS;
  attributes.sq_psn = first_packet_;
  attributes.timeout = kAckTimeoutExponent;
  attributes.retry_cnt = kRetries;
  attributes.rnr_retry = kReceiverNotReadyRetries;
  attributes.max_rd_atomic = 1;
  return ::ibv_modify_qp(queue_pair_.get(), &attributes,
                         IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
                             IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
}

std::span<std::byte> VerbsLink::inbound(std::uint32_t copy) const noexcept {
  if (!memory_) return {};
  return memory_.bytes().subspan(copy * region_bytes_, region_bytes_);
}

Post VerbsLink::write(std::uint32_t copy, std::uint64_t offset, std::span<const std::byte> bytes,
                      std::uint64_t mark) noexcept {
  if (state_ == State::waiting) return Post::would_block;
  if (state_ == State::down) return Post::down;
  if (!sends_.push_write(copy * region_bytes_ + offset, bytes, mark)) {
    // What is chained must be on its way, or nothing would ever make room.
    return flush() ? Post::would_block : Post::down;
  }
  written_ = true;
  if (sends_.chain_is_full() && !flush()) return Post::down;
  return Post::posted;
}

bool VerbsLink::flush(bool signal) noexcept {
  ibv_send_wr* refused = nullptr;
  ibv_send_wr* first = is_up() ? sends_.take_chain(signal) : nullptr;
  return first == nullptr || ::ibv_post_send(queue_pair_.get(), first, &refused) == 0;
}

std::uint64_t VerbsLink::completed() const noexcept {
  return state_ == State::down ? sends_.last_mark() : sends_.completed();
}

bool VerbsLink::complete(std::uint64_t request_id) noexcept {
  if (!is_up()) return true;
  if ((request_id & kReceiveBit) == 0) {
    sends_.complete(request_id);
    return true;
  }
  constexpr std::uint32_t kHalf = kReceives / 2;
  if (++doorbells_come_ - reposted_ < kHalf) return true;
  reposted_ += kHalf;
  return post_receives(kHalf);
}

bool VerbsLink::post_receives(std::uint32_t count) noexcept {
  std::array<ibv_recv_wr, kReceives> receives{};
  LOCKSTEP_ASSERT(count <= receives.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    receives[i].wr_id = kReceiveBit | std::uint64_t{link_} << 32U;
    receives[i].next = i + 1 < count ? &receives[i + 1] : nullptr;
  }
  ibv_recv_wr* refused = nullptr;
  return ::ibv_post_recv(queue_pair_.get(), receives.data(), &refused) == 0;
}

void VerbsLink::ring() noexcept {
  if (!written_) return;
  written_ = false;
  owes_doorbell_ = control(kNeverSleeps) == 0;
}

void VerbsLink::tell_never_sleeps(bool never) noexcept {
  if (never == never_sleeps_) return;
  never_sleeps_ = never;
  owes_never_sleeps_ = state_ != State::down;
}

bool VerbsLink::say_farewell() noexcept {
  if (!is_up()) return true;
  if (sends_.push_word(control_offset(kLeft), 1) && control(kNeverSleeps) == 0) {
    pay_doorbell(true);
  }
  return flush(true);
}

bool VerbsLink::pay(bool last_chance) noexcept {
  if (!is_up()) return true;
  if (owes_never_sleeps_) {
    owes_never_sleeps_ =
        !sends_.push_word(control_offset(kNeverSleeps), static_cast<std::uint64_t>(never_sleeps_));
  }
  if (reposted_ != returned_ && sends_.push_word(control_offset(kReturned), reposted_)) {
    returned_ = reposted_;
  }
  if (owes_doorbell_) pay_doorbell(last_chance);
  return flush();
}

void VerbsLink::pay_doorbell(bool last_chance) noexcept {
  const bool credit = doorbells_sent_ - control(kReturned) < kReceives;
  if (!credit && !last_chance) return;
  if (!sends_.push_doorbell()) return;
  ++doorbells_sent_;
  owes_doorbell_ = false;
}

bool VerbsLink::peer_left() const noexcept { return is_up() && control(kLeft) != 0; }

std::uint64_t VerbsLink::control(Control word) const noexcept {
  const auto* line =
      reinterpret_cast<const std::uint64_t*>(memory_.data() + kRegionCopies * region_bytes_);
  return runtime::load_acquire(line[word]);
}

std::uint64_t VerbsLink::control_offset(Control word) const noexcept {
  return kRegionCopies * region_bytes_ + word * sizeof(std::uint64_t);
}

void VerbsLink::take_down() noexcept {
  state_ = State::down;
  stop();
  written_ = owes_doorbell_ = owes_never_sleeps_ = false;
  returned_ = reposted_;
}

void VerbsLink::stop() noexcept {
  ibv_qp_attr attributes{};
  attributes.qp_state = IBV_QPS_RESET;
  if (!queue_pair_ || ::ibv_modify_qp(queue_pair_.get(), &attributes, IBV_QP_STATE) == 0) return;
  queue_pair_.reset();
}

void VerbsLink::drop() noexcept {
  take_down();
  queue_pair_.reset();
  region_.reset();
  memory_ = {};
}

}  // namespace lockstep::transports
