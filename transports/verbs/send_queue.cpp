#include "transports/verbs/send_queue.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/assert.hpp"

namespace lockstep::transports {

SendQueue::SendQueue(const Shape& shape)
    : shape_(shape), slots_(shape.depth), staged_(shape.depth) {
  LOCKSTEP_ASSERT(shape.depth >= kLeastDepth);
  LOCKSTEP_ASSERT(shape.longest_bytes >= sizeof(std::uint64_t));
}

std::span<std::byte> SendQueue::staging() noexcept {
  return std::as_writable_bytes(std::span(staged_));
}

void SendQueue::set_target(std::uint64_t address, std::uint32_t key) noexcept {
  target_address_ = address;
  target_key_ = key;
}

bool SendQueue::push_write(std::uint64_t offset, std::span<const std::byte> bytes,
                           std::uint64_t mark) noexcept {
  LOCKSTEP_ASSERT(mark >= last_mark_);
  const std::uint64_t longest = shape_.longest_bytes;
  const std::uint64_t requests = bytes.empty() ? 1 : (bytes.size() + longest - 1) / longest;
  if (!room_for(requests)) return false;
  if (mark > last_mark_) {
    mark_below_ = last_mark_;
    last_mark_ = mark;
  }
  do {
    const auto piece = bytes.first(std::min(bytes.size(), longest));
    push(offset, piece);
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  } while (!bytes.empty());
  return true;
}

bool SendQueue::push_word(std::uint64_t offset, std::uint64_t word) noexcept {
  if (!room_for(1)) return false;
  push(offset, std::as_bytes(std::span(&word, 1)));
  return true;
}

bool SendQueue::push_doorbell() noexcept {
  if (!room_for(1)) return false;
  ibv_send_wr& request = slots_[next_ % depth()].request;
  push(0, {});
  request.opcode = IBV_WR_RDMA_WRITE_WITH_IMM;
  ++counts_.doorbells;
  return true;
}

void SendQueue::push(std::uint64_t offset, std::span<const std::byte> bytes) noexcept {
  const std::uint64_t index = next_ % depth();
  Slot& slot = slots_[index];
  const bool goes_inline = bytes.size() <= shape_.inline_bytes;
  slot.mark_before = mark_below_;
  if (bytes.size() <= kInlineBytes) {
    std::byte* copy = staged_[index].bytes.data();
    if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
    slot.piece = {.addr = reinterpret_cast<std::uint64_t>(copy),
                  .length = static_cast<std::uint32_t>(bytes.size()),
                  .lkey = shape_.staging_key};
    slot.source = Source::copied;
  } else {
    slot.piece = {.addr = reinterpret_cast<std::uint64_t>(bytes.data()),
                  .length = static_cast<std::uint32_t>(bytes.size()),
                  .lkey = shape_.source_key};
    slot.source = goes_inline ? Source::until_given : Source::until_complete;
    waited_for_ = waited_for_ || !goes_inline;
  }
  ibv_send_wr& request = slot.request;
  request.wr_id = shape_.request_id_base | (next_ & 0xffff'ffffU);
  request.next = nullptr;
  request.sg_list = &slot.piece;
  request.num_sge = bytes.empty() ? 0 : 1;
  request.opcode = IBV_WR_RDMA_WRITE;
  request.send_flags = goes_inline ? static_cast<unsigned>(IBV_SEND_INLINE) : 0U;
  request.imm_data = 0;
  request.wr.rdma.remote_addr = target_address_ + offset;
  request.wr.rdma.rkey = target_key_;
  if (next_ != given_) slots_[(next_ - 1) % depth()].request.next = &request;
  ++next_;
  if (slot.source == Source::copied && held_ + 1 == next_) held_ = next_;
}

ibv_send_wr* SendQueue::take_chain(bool signal) noexcept {
  if (next_ == given_) return nullptr;
  const auto length = static_cast<std::uint32_t>(next_ - given_);
  unsignalled_ += length;
  if (signal || waited_for_ || unsignalled_ >= depth() / 4) {
    slots_[(next_ - 1) % depth()].request.send_flags |= IBV_SEND_SIGNALED;
    unsignalled_ = 0;
    ++counts_.signalled;
  }
  waited_for_ = false;
  counts_.work_requests += length;
  ++counts_.chains;
  ibv_send_wr* first = &slots_[given_ % depth()].request;
  given_ = next_;
  release_sources();
  return first;
}

void SendQueue::complete(std::uint64_t request_id) noexcept {
  // The distance from the oldest request, which 32 bits hold whatever has wrapped.
  const auto distance = static_cast<std::uint32_t>(request_id) - static_cast<std::uint32_t>(freed_);
  LOCKSTEP_ASSERT(distance < given_ - freed_);
  freed_ += std::uint64_t{distance} + 1;
  ++counts_.completions;
  release_sources();
}

bool SendQueue::is_free(std::uint64_t number) const noexcept {
  if (number < freed_) return true;
  switch (slots_[number % depth()].source) {
    case Source::copied:
      return true;
    case Source::until_given:
      return number < given_;
    case Source::until_complete:
      return false;
  }
  return false;
}

void SendQueue::release_sources() noexcept {
  held_ = std::max(held_, freed_);
  while (held_ < next_ && is_free(held_)) ++held_;
}

std::uint64_t SendQueue::completed() const noexcept {
  return held_ == next_ ? last_mark_ : slots_[held_ % depth()].mark_before;
}

}  // namespace lockstep::transports
