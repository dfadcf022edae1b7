#include "bench/verbs_lane.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace lockstep::bench {
namespace {

constexpr std::uint32_t kWantedInlineBytes = 256;
constexpr std::uint8_t kAckTimeoutExponent = 14;  // as transports/verbs/link.cpp
constexpr std::uint8_t kRetries = 6;
constexpr std::uint8_t kHopLimit = 64;

std::unexpected<Error> refused(const char* what, int error) {
  return fail(ErrorCode::system,
              fmt::format("the floor's queue pair: {}: {}", what, std::strerror(error)));
}

}  // namespace

Expected<VerbsLane> VerbsLane::open(const std::string& host, std::size_t bytes) {
  VerbsLane lane;
  auto device = transports::VerbsDevice::open({.address = host});
  if (!device) return std::unexpected(device.error());
  lane.device_.emplace(std::move(*device));
  lane.bytes_ = (bytes + 63) / 64 * 64;
  auto memory = runtime::SharedBlock::create(
      2 * lane.bytes_, {.huge_pages = HugePages::never, .purpose = "the floor's memory"});
  if (!memory) return std::unexpected(memory.error());
  lane.memory_ = std::move(*memory);
  auto region = lane.device_->register_memory(
      lane.memory_.bytes(), IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE, "the floor's memory");
  if (!region) return std::unexpected(region.error());
  lane.region_ = std::move(*region);
  if (auto made = lane.make_queue_pair(); !made) return std::unexpected(made.error());
  return lane;
}

Expected<void> VerbsLane::make_queue_pair() {
  completions_.reset(::ibv_create_cq(device_->context(), kDepth, nullptr, nullptr, 0));
  if (!completions_) return refused("completion queue", errno);
  ibv_qp_init_attr wanted{};
  wanted.send_cq = wanted.recv_cq = completions_.get();
  wanted.qp_type = IBV_QPT_RC;
  wanted.cap.max_send_wr = kDepth;
  wanted.cap.max_send_sge = wanted.cap.max_recv_sge = 1;
  wanted.cap.max_inline_data = kWantedInlineBytes;
  queue_pair_.reset(::ibv_create_qp(device_->domain(), &wanted));
  if (!queue_pair_) return refused("create", errno);
  inline_bytes_ = wanted.cap.max_inline_data;
  packet_number_ = queue_pair_->qp_num & 0xff'ffff;
  return {};
}

Expected<void> VerbsLane::connect(LaneAddress& mine, LaneAddress& theirs, Patience& patience) {
  mine.queue_pair = queue_pair_->qp_num;
  mine.packet_number = packet_number_;
  mine.lid = device_->port_state().lid;
  mine.path_mtu = static_cast<std::uint32_t>(device_->port_state().active_mtu);
  std::memcpy(mine.gid, device_->gid().data(), sizeof mine.gid);
  mine.memory = reinterpret_cast<std::uint64_t>(memory_.data());
  mine.key = region_->rkey;
  std::atomic_ref(mine.written).store(1, std::memory_order_release);
  const auto wait_for = [&](std::uint32_t stage) {
    patience.renew();
    while (std::atomic_ref(theirs.written).load(std::memory_order_acquire) < stage) {
      if (!patience.wait()) return false;
    }
    return true;
  };
  if (!wait_for(1)) return silent_pair();
  if (const int error = make_ready(theirs); error != 0) return refused("connect", error);
  their_memory_ = theirs.memory;
  their_key_ = theirs.key;
  // Written to before it is ready, the other end would have to be asked again.
  std::atomic_ref(mine.written).store(2, std::memory_order_release);
  if (!wait_for(2)) return silent_pair();
  return {};
}

int VerbsLane::make_ready(const LaneAddress& theirs) {
  ibv_qp_attr attributes{};
  attributes.qp_state = IBV_QPS_INIT;
  attributes.port_num = device_->port();
  attributes.qp_access_flags = IBV_ACCESS_REMOTE_WRITE;
  int error = ::ibv_modify_qp(queue_pair_.get(), &attributes,
                              IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
  if (error != 0) return error;
  attributes = {};
  attributes.qp_state = IBV_QPS_RTR;
  attributes.path_mtu =
      std::min(device_->port_state().active_mtu, static_cast<ibv_mtu>(theirs.path_mtu));
  attributes.dest_qp_num = theirs.queue_pair;
  attributes.rq_psn = theirs.packet_number;
  attributes.max_dest_rd_atomic = 1;
  attributes.min_rnr_timer = 12;
  attributes.ah_attr.dlid = static_cast<std::uint16_t>(theirs.lid);
  attributes.ah_attr.port_num = device_->port();
  if (device_->is_ethernet()) {
    attributes.ah_attr.is_global = 1;
    std::memcpy(attributes.ah_attr.grh.dgid.raw, theirs.gid, sizeof theirs.gid);
    attributes.ah_attr.grh.sgid_index = device_->gid_index();
    attributes.ah_attr.grh.hop_limit = kHopLimit;
  }
  error = ::ibv_modify_qp(queue_pair_.get(), &attributes,
                          IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
                              IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
  if (error != 0) return error;
  attributes = {};
  attributes.qp_state = IBV_QPS_RTS;
  attributes.timeout = kAckTimeoutExponent;
  attributes.retry_cnt = kRetries;
  attributes.rnr_retry = 7;
  attributes.sq_psn = packet_number_;
  attributes.max_rd_atomic = 1;
  return ::ibv_modify_qp(queue_pair_.get(), &attributes,
                         IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
                             IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
}

bool VerbsLane::write(std::size_t offset, std::size_t bytes, std::size_t to) noexcept {
  if (posted_ - completed_ >= kDepth / 2) reap();
  if (broken_ || posted_ - completed_ >= kDepth - 1) return false;
  ibv_sge piece{};
  piece.addr = reinterpret_cast<std::uint64_t>(source().data() + offset);
  piece.length = static_cast<std::uint32_t>(bytes);
  piece.lkey = region_->lkey;
  ibv_send_wr request{};
  ibv_send_wr* refused = nullptr;
  request.wr_id = ++posted_;
  request.sg_list = &piece;
  request.num_sge = 1;
  request.opcode = IBV_WR_RDMA_WRITE;
  if (bytes <= inline_bytes_) request.send_flags |= IBV_SEND_INLINE;
  if (posted_ % kSignalEvery == 0) request.send_flags |= IBV_SEND_SIGNALED;
  request.wr.rdma.remote_addr = their_memory_ + to;
  request.wr.rdma.rkey = their_key_;
  broken_ = ::ibv_post_send(queue_pair_.get(), &request, &refused) != 0;
  return !broken_;
}

void VerbsLane::reap() noexcept {
  std::array<ibv_wc, 8> found;
  const int count = ::ibv_poll_cq(completions_.get(), static_cast<int>(found.size()), found.data());
  for (int i = 0; i < count; ++i) {
    const ibv_wc& one = found[static_cast<std::size_t>(i)];
    broken_ = broken_ || one.status != IBV_WC_SUCCESS;
    completed_ = one.wr_id;
  }
}

}  // namespace lockstep::bench
