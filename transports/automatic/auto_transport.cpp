#include "transports/automatic/auto_transport.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "runtime/assert.hpp"
#include "transports/hello/machine.hpp"

namespace lockstep::transports {
namespace {

/// The first character of what goes to a peer beside a hello, a bit each; what follows is that of
/// the medium. Printable, so that logs of a hello stay so.
constexpr char kOffer = '@';
constexpr char kChecksummed = 1;  ///< frames of who says so carry a checksum
constexpr char kHasRdma = 2;      ///< VerbsParameters follow: a queue pair waits for the peer's

Error not_understood(LinkId link) {
  return {ErrorCode::mismatch,
          fmt::format("the member of rank {} offers a link in a form this build does not know; run "
                      "the same build everywhere",
                      link)};
}

}  // namespace

AutoTransport::AutoTransport(Parts parts, std::uint32_t members)
    : verbs_(std::move(parts.verbs)),
      tcp_(std::move(parts.tcp)),
      shm_(std::move(parts.shm)),
      may_share_memory_(parts.may_share_memory),
      no_verbs_(parts.no_verbs),
      parts_{shm_.get(), verbs_.get(), tcp_.get()},
      routes_(members) {
  constexpr std::size_t kMostOfNetworks = 16;
  descriptors_.reserve(members + kMostOfNetworks);
  notices_.add(parts.notices);
  for (const Transport* part : parts_) {
    if (part == nullptr) continue;
    for (const std::string& line : part->notices()) notices_.add(line);
  }
  gather_descriptors();
}

// ---- links come and go -------------------------------------------------------------------------

class AutoTransport::Arrival final : public Newcomer {
 public:
  Arrival(std::unique_ptr<Newcomer> its_link, const LinkChoice& choice, Route its_route,
          const std::string& refusal)
      : Newcomer(its_link->link(), with(its_link->notices(), refusal), choice),
        made(std::move(its_link)),
        route(its_route) {}
  std::unique_ptr<Newcomer> made;
  Route route;

 private:
  static Notices with(Notices notices, const std::string& refusal) {
    notices.add(refusal);
    return notices;
  }
};

class AutoTransport::Maker final : public LinkMaker {
 public:
  explicit Maker(const AutoTransport& transport)
      : shm_(transport.shm_->link_maker()),
        tcp_(transport.tcp_->link_maker()),
        verbs_(transport.verbs_ ? transport.verbs_->link_maker() : nullptr),
        rdma_(transport.routes_.size()),
        checksummed_(transport.write_order() == WriteOrder::unordered),
        may_share_memory_(transport.may_share_memory_),
        no_verbs_(transport.no_verbs_),
        machine_(this_machine()) {}

  [[nodiscard]] Medium medium() const noexcept override { return Medium::automatic; }
  [[nodiscard]] std::size_t descriptor_count() const noexcept override {
    return shm_->descriptor_count();
  }
  [[nodiscard]] bool life_lines() const noexcept override { return true; }

  Expected<Offer> offer_for(LinkId link, bool near) override {
    withdraw(link);
    Rdma& rdma = rdma_[link] = {};
    auto offer = near ? shm_->offer_for(link, near) : far_offer_for(link, rdma);
    if (!offer) return offer;
    const int bits = (checksummed_ ? kChecksummed : 0) | (rdma.offered ? kHasRdma : 0);
    offer->parameters.insert(offer->parameters.begin(), static_cast<char>(kOffer | bits));
    return offer;
  }

  /// A queue pair, and a region that stays in memory.
  void withdraw(LinkId link) noexcept override {
    if (rdma_[link].offered) verbs_->withdraw(link);
  }

  Expected<std::unique_ptr<Newcomer>> make(MetPeer&& peer) override {
    const int bits = peer.parameters.empty() ? -1 : peer.parameters.front() ^ kOffer;
    if (bits < 0 || bits > (kChecksummed | kHasRdma)) {
      return std::unexpected(not_understood(peer.rank));
    }
    peer.parameters.erase(0, 1);
    const Route route{.kind = kind_of_link(peer, (bits & kHasRdma) != 0),
                      .there = true,
                      .checksummed = (bits & kChecksummed) != 0};
    const LinkChoice choice = choice_of(peer, route.kind, (bits & kHasRdma) != 0);
    if (route.kind != kVerbs) withdraw(peer.rank);
    const std::string& refusal = rdma_[peer.rank].refusal;
    auto made = maker(route.kind).make(std::move(peer));
    if (!made) return made;
    return std::make_unique<Arrival>(std::move(*made), choice, route, refusal);
  }

 private:
  /// What was last offered to a peer.
  struct Rdma {
    bool offered = false;
    std::string refusal;  ///< why the device could not
  };

  /// A device that is there may still refuse a link: it is out of queue pairs, or of memory that
  /// may be locked.
  Expected<Offer> far_offer_for(LinkId link, Rdma& rdma) {
    if (verbs_ != nullptr) {
      auto offer = verbs_->offer_for(link, false);
      rdma.offered = offer.has_value();
      if (offer) return offer;
      rdma.refusal = fmt::format("no RDMA to rank {}: {}", link, offer.error().message);
    }
    return tcp_->offer_for(link, false);
  }

  LinkMaker& maker(Kind kind) const {
    return kind == kShm ? *shm_ : (kind == kVerbs ? *verbs_ : *tcp_);
  }

  /// Both ends come to the same: each knows what the other offered, and that it was sealed.
  [[nodiscard]] Kind kind_of_link(const MetPeer& peer, bool peer_has_rdma) const {
    if (peer.near) return kShm;
    return rdma_[peer.rank].offered && peer_has_rdma && !peer.keys ? kVerbs : kTcp;
  }

  [[nodiscard]] LinkChoice choice_of(const MetPeer& peer, Kind kind, bool peer_has_rdma) const {
    LinkChoice choice{.medium = kind == kShm     ? Medium::shm
                                : kind == kVerbs ? Medium::verbs
                                                 : Medium::tcp,
                      .sealed = kind == kTcp && peer.keys != nullptr};
    if (kind == kShm) return choice;
    const bool same_host = peer.machine.host == machine_.host;
    choice.no_shm = same_host ? Obstacle::out_of_reach : Obstacle::other_host;
    if (same_host && !may_share_memory_) choice.no_shm = Obstacle::unsealed;
    if (kind == kVerbs) return choice;
    choice.no_verbs = peer_has_rdma ? Obstacle::unsealed : Obstacle::peer_no_device;
    if (!rdma_[peer.rank].offered) choice.no_verbs = verbs_ ? Obstacle::refused : no_verbs_;
    return choice;
  }

  const std::unique_ptr<LinkMaker> shm_;
  const std::unique_ptr<LinkMaker> tcp_;
  const std::unique_ptr<LinkMaker> verbs_;
  std::vector<Rdma> rdma_;  ///< by rank
  const bool checksummed_;
  const bool may_share_memory_;
  const Obstacle no_verbs_;
  const Machine machine_;
};

std::unique_ptr<LinkMaker> AutoTransport::link_maker() const {
  return std::make_unique<Maker>(*this);
}

Expected<void> AutoTransport::adopt(std::unique_ptr<Newcomer> newcomer) {
  auto& arrival = static_cast<Arrival&>(*newcomer);
  const LinkId link = arrival.link();
  LOCKSTEP_ASSERT(!routes_[link].there);
  notices_.add(arrival.notices());
  auto adopted = parts_[arrival.route.kind]->adopt(std::move(arrival.made));
  if (!adopted) return adopted;
  routes_[link] = arrival.route;
  ++links_[arrival.route.kind];
  gather_descriptors();
  return {};
}

void AutoTransport::drop(LinkId link) noexcept {
  Route& route = routes_[link];
  parts_[route.kind]->drop(link);
  if (!std::exchange(route.there, false)) return;
  --links_[route.kind];
  gather_descriptors();
}

void AutoTransport::hold_life_line(LinkId link, Descriptor line) noexcept {
  if (routes_[link].there) part_of(link).hold_life_line(link, std::move(line));
}

WriteOrder AutoTransport::read_order(LinkId link) const noexcept {
  const Route& route = routes_[link];
  if (route.checksummed) return WriteOrder::unordered;
  return route.kind == kShm ? WriteOrder::first_word_last : WriteOrder::ascending;
}

/// Shared memory has a descriptor for each peer: they come and go.
void AutoTransport::gather_descriptors() noexcept {
  descriptors_.clear();
  each_in_use([this](Transport& part) {
    const std::span<const int> some = part.descriptors();
    descriptors_.insert(descriptors_.end(), some.begin(), some.end());
  });
}

// ---- the loop ----------------------------------------------------------------------------------

template <class Do>
void AutoTransport::each_in_use(Do&& act) const noexcept {
  for (std::size_t kind = 0; kind < parts_.size(); ++kind) {
    if (links_[kind] != 0) act(*parts_[kind]);
  }
}

std::size_t AutoTransport::poll(std::span<LinkDown> events) noexcept {
  std::size_t count = 0;
  each_in_use([&](Transport& part) { count += part.poll(events.subspan(count)); });
  if (count != 0) [[unlikely]] {
    gather_descriptors();
  }
  return count;
}

void AutoTransport::renew_keys() noexcept {
  each_in_use([](Transport& part) { part.renew_keys(); });
}

/// Links that come later have it, too.
void AutoTransport::set_never_sleeps(bool never) noexcept {
  for (Transport* part : parts_) {
    if (part != nullptr) part->set_never_sleeps(never);
  }
}

void AutoTransport::announce_sleep() noexcept {
  each_in_use([](Transport& part) { part.announce_sleep(); });
}

void AutoTransport::announce_awake() noexcept {
  each_in_use([](Transport& part) { part.announce_awake(); });
}

void AutoTransport::ring_doorbells() noexcept {
  each_in_use([](Transport& part) { part.ring_doorbells(); });
}

std::uint64_t AutoTransport::deadline_ns() const noexcept {
  std::uint64_t deadline = kNever;
  each_in_use([&](Transport& part) { deadline = std::min(deadline, part.deadline_ns()); });
  return deadline;
}

}  // namespace lockstep::transports
