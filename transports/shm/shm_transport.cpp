#include "transports/shm/shm_transport.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "runtime/assert.hpp"
#include "runtime/doorbell.hpp"
#include "runtime/word.hpp"
#include "transports/shm/unix_place.hpp"

namespace lockstep::transports {
namespace {

/// Descriptors handed over with a hello, in this order.
enum HelloDescriptor : std::size_t { kRegion, kControl, kBell, kHelloDescriptors };

/// Writes up to this size go word by word, each word whole; longer ones by memcpy.
constexpr std::size_t kWordwiseBytes = 256;

void copy_words(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  for (std::size_t i = 0; i < bytes; i += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, from + i, sizeof word);
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(to + i))
        .store(word, std::memory_order_relaxed);
  }
}

/// Copies so that the first word appears last. Readers watch that word (a frame's marker, a row's
/// received_sequence) and load it with acquire.
void copy_first_word_last(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  if (bytes == 0) return;
  constexpr std::size_t kWord = sizeof(std::uint64_t);
#if defined(__SANITIZE_THREAD__)
  copy_words(to + kWord, from + kWord, bytes - kWord);
#else
  if (bytes <= kWordwiseBytes) {
    copy_words(to + kWord, from + kWord, bytes - kWord);
  } else {
    // x86 and arm64 copy aligned words whole however memcpy does it; the language has no word
    // for that, so the thread sanitizer is shown the loop instead.
    std::memcpy(to + kWord, from + kWord, bytes - kWord);
  }
#endif
  std::uint64_t first;
  std::memcpy(&first, from, sizeof first);
  runtime::store_release(*reinterpret_cast<std::uint64_t*>(to), first);
}

}  // namespace

ShmTransport::ShmTransport(const ShmOptions& options)
    : region_bytes_(options.region_bytes), links_(options.members.size()) {
  LOCKSTEP_ASSERT(options.region_bytes % 64 == 0);
}

Expected<std::unique_ptr<ShmTransport>> ShmTransport::connect(const ShmOptions& options,
                                                              const Examine& examine) {
  std::unique_ptr<ShmTransport> transport(new ShmTransport(options));
  if (auto made = transport->make_memory(options); !made) return std::unexpected(made.error());
  const MeetingOptions meeting{.group = options.group,
                               .members = options.members,
                               .my_rank = options.my_rank,
                               .medium = Medium::shm,
                               .region_bytes = options.region_bytes,
                               .timeout_ns = options.join_timeout_ns,
                               .introduction = options.introduction,
                               .descriptor_count = kHelloDescriptors};
  const auto offer_for = [&](std::uint32_t rank) {
    return Offer{.parameters = {},
                 .descriptors = {transport->links_[rank].inbound_block.descriptor(),
                                 transport->control_.descriptor(), options.doorbell}};
  };
  UnixPlace place(options.group, options.members, options.my_rank);
  auto met = meet(meeting, place, offer_for, examine);
  if (!met) return std::unexpected(met.error());
  transport->name_ = std::move(met->listener);
  for (const std::string& notice : met->notices) transport->note(notice);
  for (MetPeer& peer : met->peers) {
    if (auto adopted = transport->adopt(std::move(peer)); !adopted) {
      return std::unexpected(adopted.error());
    }
  }
  return transport;
}

Expected<void> ShmTransport::make_memory(const ShmOptions& options) {
  auto control = OwnControlPage::create();
  if (!control) return std::unexpected(control.error());
  control_ = std::move(*control);
  runtime::MemoryOptions memory = options.memory;
  if (options.source_bytes > 0) {
    memory.purpose = "this member's ring";
    auto source = runtime::SharedBlock::create(options.source_bytes, memory);
    if (!source) return std::unexpected(source.error());
    note(source->notice());
    source_ = std::move(*source);
  }
  for (std::uint32_t rank = 0; rank < links_.size(); ++rank) {
    if (rank == options.my_rank) continue;
    memory.purpose = "the region of a peer";
    auto block = runtime::SharedBlock::create(region_bytes_ * kRegionCopies, memory);
    if (!block) return std::unexpected(block.error());
    note(block->notice());
    links_[rank].inbound_block = std::move(*block);
  }
  return {};
}

Expected<void> ShmTransport::adopt(MetPeer&& peer) {
  Link& link = links_[peer.rank];
  auto control = PeerControlPage::attach(peer.descriptors[kControl].release());
  if (!control) return std::unexpected(control.error());
  auto outbound = runtime::SharedBlock::attach(peer.descriptors[kRegion].release(),
                                               region_bytes_ * kRegionCopies, "a peer's region");
  if (!outbound) return std::unexpected(outbound.error());
  link.control = std::move(*control);
  link.outbound_block = std::move(*outbound);
  link.outbound = link.outbound_block.data();
  link.bell = std::move(peer.descriptors[kBell]);
  link.socket = std::move(peer.socket);
  link.down = false;
  sockets_.push_back(link.socket.get());
  return {};
}

void ShmTransport::note(const std::string& notice) {
  if (!notice.empty() && std::ranges::find(notices_, notice) == notices_.end()) {
    notices_.push_back(notice);
  }
}

std::span<std::byte> ShmTransport::inbound(LinkId link, std::uint32_t copy) noexcept {
  const runtime::SharedBlock& block = links_[link].inbound_block;
  if (!block) return {};
  return block.bytes().subspan(copy * region_bytes_, region_bytes_);
}

Post ShmTransport::write(LinkId link, std::uint32_t copy, std::uint64_t offset,
                         std::span<const std::byte> bytes, std::uint64_t mark) noexcept {
  LOCKSTEP_ASSERT(copy < kRegionCopies);
  LOCKSTEP_ASSERT(offset % sizeof(std::uint64_t) == 0);
  LOCKSTEP_ASSERT(bytes.size() % sizeof(std::uint64_t) == 0);
  LOCKSTEP_ASSERT(offset + bytes.size() <= region_bytes_);
  Link& peer = links_[link];
  if (peer.down) return Post::down;
  copy_first_word_last(peer.outbound + copy * region_bytes_ + offset, bytes.data(), bytes.size());
  peer.mark = mark;
  peer.rung_for = false;
  return Post::posted;
}

std::uint64_t ShmTransport::completed(LinkId link) const noexcept { return links_[link].mark; }

std::size_t ShmTransport::poll(std::span<LinkDown> events) noexcept {
  // One peer a turn: its word lies in this core's cache until it changes.
  if (events.empty()) return 0;
  if (++next_to_watch_ >= links_.size()) next_to_watch_ = 0;
  Link& link = links_[next_to_watch_];
  if (link.down) return 0;
  const Life life = link.control.life();
  if (life == Life::alive) [[likely]] {
    return 0;
  }
  take_down(link);
  events[0] = {.link = static_cast<LinkId>(next_to_watch_),
               .reason = life == Life::died ? DownReason::peer_died : DownReason::peer_left};
  return 1;
}

void ShmTransport::take_down(Link& link) noexcept {
  link.down = true;
  std::erase(sockets_, link.socket.get());
  link.socket.reset();
  link.bell.reset();
}

void ShmTransport::drop(LinkId link) noexcept {
  if (!links_[link].down) take_down(links_[link]);
  links_[link].inbound_block = {};
  links_[link].outbound_block = {};
  links_[link].outbound = nullptr;
}

void ShmTransport::announce_sleep() noexcept {
  control_.set_sleeping(true);
  // Pairs with the fence in ring_doorbells: either the writer sees `sleeping`, or the look that
  // follows sees what it wrote.
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void ShmTransport::announce_awake() noexcept { control_.set_sleeping(false); }

void ShmTransport::ring_doorbells() noexcept {
  bool fenced = false;
  for (Link& link : links_) {
    if (link.rung_for || link.down) continue;
    link.rung_for = true;
    if (link.control.never_sleeps()) continue;
    // Pairs with the fence in announce_sleep. One for all peers.
    if (!fenced) std::atomic_thread_fence(std::memory_order_seq_cst);
    fenced = true;
    if (link.control.sleeps()) runtime::Doorbell::ring_descriptor(link.bell.get());
  }
}

}  // namespace lockstep::transports
