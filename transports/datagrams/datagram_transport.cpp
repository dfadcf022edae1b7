#include "transports/datagrams/datagram_transport.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "runtime/assert.hpp"
#include "runtime/entropy.hpp"
#include "transports/datagrams/datagram_parameters.hpp"

namespace lockstep::transports {

/// One peer. It is a wire of its own: what it sends goes to its peer by the common port.
struct DatagramTransport::Link final : public packet::Wire {
  Link(LinkId its_number, std::unique_ptr<Destination> its_peer, runtime::SharedBlock its_region,
       const packet::PacketLinkOptions& options, const LinkKeys* keys)
      : number(its_number),
        peer(std::move(its_peer)),
        region(std::move(its_region)),
        packets(options, region.bytes(), keys) {}

  bool send(std::span<const std::byte> packet) noexcept override {
    return port->collect(packet, *peer);
  }

  const LinkId number;
  const std::unique_ptr<Destination> peer;
  runtime::SharedBlock region;
  packet::PacketLink packets;
  Port* port = nullptr;  ///< once it is adopted
  bool reported = false;
};

DatagramTransport::DatagramTransport(const DatagramOptions& options, std::unique_ptr<Port> port)
    : options_(options),
      port_(std::move(port)),
      links_(options.members),
      last_completed_(options.members) {
  LOCKSTEP_ASSERT(options.region_bytes % 64 == 0);
}

Expected<std::unique_ptr<DatagramTransport>> DatagramTransport::open(const DatagramOptions& options,
                                                                     std::unique_ptr<Port> port,
                                                                     const Notices& notices) {
  std::unique_ptr<DatagramTransport> transport(new DatagramTransport(options, std::move(port)));
  if (auto made = transport->make_memory(); !made) return std::unexpected(made.error());
  transport->notices_.add(notices);
  auto lines = LifeLines::hold();
  if (!lines) return std::unexpected(lines.error());
  transport->life_lines_ = std::move(*lines);
  transport->descriptors_ = {transport->port_->descriptor(), transport->life_lines_->descriptor()};
  transport->notices_.add(transport->life_lines_->notice());
  return transport;
}

Expected<void> DatagramTransport::make_memory() {
  auto nobody = runtime::ZeroPages::create(options_.region_bytes);
  if (!nobody) return std::unexpected(nobody.error());
  nobody_ = std::move(*nobody);
  if (options_.source_bytes == 0) return {};
  auto source = make_block(options_.source_bytes, "this member's ring", options_.blocks, notices_);
  if (!source) return std::unexpected(source.error());
  source_ = std::move(*source);
  return {};
}

// ---- links come and go -------------------------------------------------------------------------

class DatagramTransport::Arrival final : public Newcomer {
 public:
  Arrival(Notices notices, std::unique_ptr<Link> link)
      : Newcomer(link->number, std::move(notices)), made(std::move(link)) {}
  std::unique_ptr<Link> made;
};

class DatagramTransport::Maker final : public LinkMaker {
 public:
  Maker(const DatagramOptions& options, const Port& port)
      : options_(options), port_(port), offered_(options.members) {}

  [[nodiscard]] Medium medium() const noexcept override { return port_.medium(); }
  [[nodiscard]] bool life_lines() const noexcept override { return true; }

  Expected<Offer> offer_for(LinkId link, bool /*near*/) override {
    const auto seed = runtime::random_word();
    if (!seed) return std::unexpected(seed.error());
    offered_[link] = {.place = port_.place(),
                      .credit = port_.credit(),
                      .packet_bytes = static_cast<std::uint32_t>(port_.most_packet_bytes()),
                      .secret = {*seed}};
    return Offer{.parameters = encode(offered_[link]), .descriptors = {}};
  }

  Expected<std::unique_ptr<Newcomer>> make(MetPeer&& peer) override {
    const auto theirs = decode_datagram_parameters(peer.parameters);
    if (!theirs) return std::unexpected(theirs.error());
    auto place = port_.find(peer.host, theirs->place);
    if (!place) return std::unexpected(place.error());
    Notices notices;
    auto region = make_block(options_.region_bytes * kRegionCopies, "the region of a peer",
                             options_.blocks, notices);
    if (!region) return std::unexpected(region.error());
    const std::size_t packet_bytes =
        std::min<std::size_t>(port_.packet_bytes_to(**place), theirs->packet_bytes);
    const DatagramParameters& mine = offered_[peer.rank];
    return std::make_unique<Arrival>(
        std::move(notices),
        std::make_unique<Link>(
            peer.rank, std::move(*place), std::move(*region),
            packet::PacketLinkOptions{.my_rank = static_cast<std::uint16_t>(options_.my_rank),
                                      .mine = mine.secret,
                                      .theirs = theirs->secret,
                                      .packet_bytes = packet_bytes,
                                      .peer_packet_bytes = mine.packet_bytes,
                                      .peer_credit = theirs->credit,
                                      .my_credit = mine.credit,
                                      .give_up_ns = options_.unanswered_ns,
                                      .region_bytes = options_.region_bytes},
            peer.keys.get()));
  }

 private:
  const DatagramOptions options_;
  const Port& port_;
  std::vector<DatagramParameters> offered_;  ///< by rank: the last
};

std::unique_ptr<LinkMaker> DatagramTransport::link_maker() const {
  return std::make_unique<Maker>(options_, *port_);
}

Expected<void> DatagramTransport::adopt(std::unique_ptr<Newcomer> newcomer) {
  std::unique_ptr<Link>& link = links_[newcomer->link()];
  LOCKSTEP_ASSERT(link == nullptr);
  link = std::move(static_cast<Arrival&>(*newcomer).made);
  link->port = port_.get();
  notices_.add(newcomer->notices());
  return {};
}

void DatagramTransport::hold_life_line(LinkId link, Descriptor line) noexcept {
  life_lines_->add({.link = link, .socket = std::move(line)});
}

void DatagramTransport::drop(LinkId link) noexcept {
  life_lines_->drop(link);
  if (!links_[link]) return;
  port_->submit();  // it points into memory that goes
  Link& dropped = *links_[link];
  dropped.packets.fail(DownReason::peer_left);
  last_completed_[link] = dropped.packets.completed();
  gone_ += dropped.packets.counts();
  links_[link].reset();
}

std::optional<PacketCounts> DatagramTransport::packet_counts() const noexcept {
  PacketCounts all = gone_;
  for (const auto& link : links_) {
    if (link) all += link->packets.counts();
  }
  return all;
}

// ---- writes ------------------------------------------------------------------------------------

std::span<std::byte> DatagramTransport::inbound(LinkId link, std::uint32_t copy) noexcept {
  if (!links_[link]) return nobody_.bytes();
  return links_[link]->region.bytes().subspan(copy * options_.region_bytes, options_.region_bytes);
}

Post DatagramTransport::write(LinkId link, std::uint32_t copy, std::uint64_t offset,
                              std::span<const std::byte> bytes, std::uint64_t mark) noexcept {
  LOCKSTEP_ASSERT(copy < kRegionCopies);
  LOCKSTEP_ASSERT(offset % sizeof(std::uint64_t) == 0);
  LOCKSTEP_ASSERT(bytes.size() % sizeof(std::uint64_t) == 0);
  LOCKSTEP_ASSERT(offset + bytes.size() <= options_.region_bytes);
  Link* const peer = links_[link].get();
  return peer == nullptr ? Post::down : peer->packets.push(copy, offset, bytes, mark);
}

void DatagramTransport::flush(LinkId link) noexcept {
  Link* const peer = links_[link].get();
  if (peer != nullptr) peer->packets.send(clock_.now_ns(), *peer, false);
}

std::uint64_t DatagramTransport::completed(LinkId link) const noexcept {
  return links_[link] ? links_[link]->packets.completed() : last_completed_[link];
}

void DatagramTransport::renew_keys() noexcept {
  for (const auto& link : links_) {
    if (link) link->packets.renew_keys();
  }
}

// ---- the loop ----------------------------------------------------------------------------------

std::size_t DatagramTransport::poll(std::span<LinkDown> events) noexcept {
  // Looked at first: what a peer sent before it died is here by now, and still counts.
  const std::uint64_t dead = life_lines_->take_ended();
  port_->submit();
  if (dead == 0) {
    receive();
  } else {
    receive_the_rest();
    bury(dead);
  }
  send_due(false);
  const bool lost = port_->lost_something();
  std::size_t count = 0;
  for (const auto& link : links_) {
    if (!link || link->reported || count == events.size()) continue;
    if (lost && !port_->reaches(*link->peer)) link->packets.fail(DownReason::device_lost);
    const auto reason = link->packets.down();
    if (!reason) continue;
    link->reported = true;
    events[count++] = {.link = link->number, .reason = *reason};
  }
  return count;
}

void DatagramTransport::receive() noexcept {
  // So that sending and the rest of the loop get their turn.
  constexpr int kMostBatches = 8;
  const std::uint64_t now_ns = clock_.now_ns();
  for (int batch = 0; batch < kMostBatches; ++batch) {
    take_batch(now_ns);
    if (!port_->more()) return;
  }
}

/// A port that looked for one packet may have more; strangers may send all the time.
void DatagramTransport::receive_the_rest() noexcept {
  constexpr int kMostBatches = 1'024;
  const std::uint64_t now_ns = clock_.now_ns();
  for (int batch = 0; batch < kMostBatches; ++batch) {
    if (!take_batch(now_ns) && !port_->more()) return;
  }
}

bool DatagramTransport::take_batch(std::uint64_t now_ns) noexcept {
  const auto packets = port_->receive();
  for (const Received& one : packets) take(one, now_ns);
  return !packets.empty();
}

void DatagramTransport::take(const Received& one, std::uint64_t now_ns) noexcept {
  const auto sender = packet::sender_of(one.packet);
  Link* const link = sender && *sender < links_.size() ? links_[*sender].get() : nullptr;
  if (link == nullptr) {
    ++gone_.rejected;
    return;
  }
  const bool sound = link->packets.receive(one.packet, now_ns);
  if (sound && !link->peer->known) port_->heard(*link->peer, one.from);
}

void DatagramTransport::send_due(bool idle) noexcept {
  const std::uint64_t now_ns = clock_.now_ns();
  for (const auto& link : links_) {
    if (!link) continue;
    // Who is down is not heard again: what it waits for goes now.
    link->packets.send(now_ns, *link, idle || link->packets.down().has_value());
  }
  port_->submit();
}

void DatagramTransport::announce_sleep() noexcept {
  send_due(true);
  port_->announce_sleep();
}

std::uint64_t DatagramTransport::deadline_ns() const noexcept {
  std::uint64_t deadline = kNever;
  for (const auto& link : links_) {
    if (link) deadline = std::min(deadline, link->packets.deadline_ns());
  }
  return deadline;
}

void DatagramTransport::bury(std::uint64_t dead) noexcept {
  for (const auto& link : links_) {
    if (link && ((dead >> link->number) & 1U) != 0) link->packets.fail(DownReason::peer_died);
  }
}

DatagramTransport::~DatagramTransport() { take_leave(); }

void DatagramTransport::take_leave() noexcept {
  constexpr std::uint64_t kPatienceNs = 100'000'000;
  const std::uint64_t deadline_ns = clock_.now_ns() + kPatienceNs;
  const auto waits = [](const auto& link) {
    return link && !link->packets.down() && !link->packets.settled();
  };
  std::vector<Link*> silent;  // that have not said so yet: their queues are full
  for (const auto& link : links_) {
    if (link) silent.push_back(link.get());
  }
  const auto said = [](Link* link) { return link->packets.down() || link->packets.push_leave(); };
  std::erase_if(silent, said);
  send_due(true);
  while (std::ranges::any_of(links_, waits) && clock_.now_ns() < deadline_ns) {
    std::erase_if(silent, said);
    pollfd waited{.fd = port_->descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&waited, 1, 1);
    receive();
    send_due(true);
  }
}

}  // namespace lockstep::transports
