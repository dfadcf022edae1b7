#include "transports/shm/shm_transport.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "runtime/assert.hpp"
#include "runtime/doorbell.hpp"
#include "runtime/word.hpp"

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
    : options_(options), region_bytes_(options.region_bytes), links_(options.members) {
  LOCKSTEP_ASSERT(options.region_bytes % 64 == 0);
}

Expected<std::unique_ptr<ShmTransport>> ShmTransport::open(const ShmOptions& options) {
  std::unique_ptr<ShmTransport> transport(new ShmTransport(options));
  if (auto made = transport->make_memory(); !made) return std::unexpected(made.error());
  return transport;
}

Expected<void> ShmTransport::make_memory() {
  auto control = OwnControlPage::create();
  if (!control) return std::unexpected(control.error());
  control_ = std::move(*control);
  auto nobody = runtime::ZeroPages::create(region_bytes_);
  if (!nobody) return std::unexpected(nobody.error());
  nobody_ = std::move(*nobody);
  if (options_.source_bytes == 0) return {};
  auto source = make_block(options_.source_bytes, "this member's ring", options_.blocks, notices_);
  if (!source) return std::unexpected(source.error());
  source_ = std::move(*source);
  return {};
}

// ---- links come and go -------------------------------------------------------------------------

class ShmTransport::Arrival final : public Newcomer {
 public:
  Arrival(LinkId number, Notices notices, Link link)
      : Newcomer(number, std::move(notices)), made(std::move(link)) {}
  Link made;
};

class ShmTransport::Maker final : public LinkMaker {
 public:
  Maker(const ShmOptions& options, int control)
      : options_(options), control_(control), offered_(options.members) {}

  [[nodiscard]] Medium medium() const noexcept override { return Medium::shm; }
  [[nodiscard]] std::size_t descriptor_count() const noexcept override { return kHelloDescriptors; }

  Expected<Offer> offer_for(LinkId link, bool /*near*/) override {
    auto block = make_block(options_.region_bytes * kRegionCopies, "the region of a peer",
                            options_.blocks, notices_);
    if (!block) return std::unexpected(block.error());
    offered_[link] = std::move(*block);
    return Offer{.parameters = {},
                 .descriptors = {offered_[link].descriptor(), control_, options_.doorbell}};
  }

  Expected<std::unique_ptr<Newcomer>> make(MetPeer&& peer) override {
    Link link;
    auto control = PeerControlPage::attach(peer.descriptors[kControl].release());
    if (!control) return std::unexpected(control.error());
    auto outbound =
        runtime::SharedBlock::attach(peer.descriptors[kRegion].release(),
                                     options_.region_bytes * kRegionCopies, "a peer's region");
    if (!outbound) return std::unexpected(outbound.error());
    link.control = std::move(*control);
    link.outbound_block = std::move(*outbound);
    link.outbound = link.outbound_block.data();
    link.inbound_block = std::move(offered_[peer.rank]);
    link.bell = std::move(peer.descriptors[kBell]);
    link.socket = std::move(peer.socket);
    link.down = false;
    return std::make_unique<Arrival>(peer.rank, notices_, std::move(link));
  }

 private:
  const ShmOptions options_;
  const int control_;
  std::vector<runtime::SharedBlock> offered_;  ///< by rank
  Notices notices_;
};

std::unique_ptr<LinkMaker> ShmTransport::link_maker() const {
  return std::make_unique<Maker>(options_, control_.descriptor());
}

Expected<void> ShmTransport::adopt(std::unique_ptr<Newcomer> newcomer) {
  Link& link = links_[newcomer->link()];
  LOCKSTEP_ASSERT(link.down && !link.inbound_block);
  link = std::move(static_cast<Arrival&>(*newcomer).made);
  sockets_.push_back(link.socket.get());
  notices_.add(newcomer->notices());
  return {};
}

std::span<std::byte> ShmTransport::inbound(LinkId link, std::uint32_t copy) noexcept {
  const runtime::SharedBlock& block = links_[link].inbound_block;
  if (!block) return nobody_.bytes();
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
