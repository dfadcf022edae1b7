#include "transports/udp/udp_transport.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/assert.hpp"
#include "runtime/entropy.hpp"
#include "transports/udp/udp_parameters.hpp"

namespace lockstep::transports {
namespace {

/// The largest packet that is taken: six frames of a kilobyte and more, where the network carries
/// it (loopback, jumbo frames); else packets are as large as the network allows.
constexpr std::size_t kMostTaken = 8'192;
/// What the kernel takes for a packet beside its bytes (struct sk_buff and the page it is in).
constexpr std::size_t kKernelOverhead = 1'280;
/// Fewer packets on their way than this are told to people.
constexpr std::uint32_t kGoodCredit = 64;
/// The IP and UDP heads (RFC 8200, RFC 791, RFC 768).
constexpr std::size_t kHeads4 = 20 + 8;
constexpr std::size_t kHeads6 = 40 + 8;

/// How large a packet to `peer` may be without being cut in pieces, as far as the kernel knows.
std::size_t packet_bytes_to(const runtime::Endpoint& peer) {
  const bool six = peer.family() == AF_INET6;
  const std::size_t heads = six ? kHeads6 : kHeads4;
  constexpr int kEverywhere = 1'280;  // RFC 8200, section 5
  int mtu = kEverywhere;
  const Descriptor socket(::socket(peer.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.open() && ::connect(socket.get(), peer.generic(), peer.length) == 0) {
    socklen_t length = sizeof mtu;
    ::getsockopt(socket.get(), six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_MTU : IP_MTU, &mtu,
                 &length);
  }
  return std::max(packet::kLeastPacketBytes, static_cast<std::size_t>(mtu) - heads) / 8 * 8;
}

}  // namespace

/// One peer. It is a wire of its own: what it sends goes to its peer by the common socket.
struct UdpTransport::Link final : public packet::Wire {
  Link(LinkId its_number, const runtime::Endpoint& its_peer, runtime::SharedBlock its_region,
       const packet::PacketLinkOptions& options)
      : number(its_number),
        peer(its_peer),
        region(std::move(its_region)),
        packets(options, region.bytes()) {}

  bool send(std::span<const std::byte> packet) noexcept override {
    socket->collect(packet, peer);
    return true;
  }

  const LinkId number;
  const runtime::Endpoint peer;
  runtime::SharedBlock region;
  packet::PacketLink packets;
  UdpSocket* socket = nullptr;  ///< once it is adopted
  bool reported = false;
};

UdpTransport::UdpTransport(const UdpOptions& options)
    : options_(options), links_(options.members), last_completed_(options.members) {
  LOCKSTEP_ASSERT(options.region_bytes % 64 == 0);
}

Expected<std::unique_ptr<UdpTransport>> UdpTransport::open(const UdpOptions& options) {
  std::unique_ptr<UdpTransport> transport(new UdpTransport(options));
  if (auto made = transport->make_memory(); !made) return std::unexpected(made.error());
  if (auto made = transport->make_socket(); !made) return std::unexpected(made.error());
  auto lines = LifeLines::hold();
  if (!lines) return std::unexpected(lines.error());
  transport->life_lines_ = std::move(*lines);
  transport->descriptors_[1] = transport->life_lines_->descriptor();
  transport->notices_.add(transport->life_lines_->notice());
  return transport;
}

Expected<void> UdpTransport::make_memory() {
  auto nobody = runtime::ZeroPages::create(options_.region_bytes);
  if (!nobody) return std::unexpected(nobody.error());
  nobody_ = std::move(*nobody);
  if (options_.source_bytes == 0) return {};
  auto source = make_block(options_.source_bytes, "this member's ring", options_.blocks, notices_);
  if (!source) return std::unexpected(source.error());
  source_ = std::move(*source);
  return {};
}

Expected<void> UdpTransport::make_socket() {
  const std::size_t peers = std::max(options_.members, 2U) - 1;
  constexpr std::size_t kPerPacket = kMostTaken + kKernelOverhead;
  // The kernel counts a packet's page as well, and doubles what it is asked for (socket(7)).
  auto socket = UdpSocket::open(options_.address, kMostTaken,
                                peers * packet::kMostOutstanding * kPerPacket, notices_);
  if (!socket) return std::unexpected(socket.error());
  socket_ = std::move(*socket);
  descriptors_[0] = socket_->descriptor();
  const std::size_t room = socket_->held_bytes() / (2 * kPerPacket * peers);
  credit_ = static_cast<std::uint32_t>(std::clamp<std::size_t>(room, 4, packet::kMostOutstanding));
  if (credit_ < kGoodCredit) {
    notices_.add(fmt::format(
        "the kernel holds {} bytes of UDP packets: room for {} from each peer; raise it with "
        "sysctl net.core.rmem_max={}",
        socket_->held_bytes(), credit_, peers * packet::kMostOutstanding * kPerPacket));
  }
  return {};
}

// ---- links come and go -------------------------------------------------------------------------

class UdpTransport::Arrival final : public Newcomer {
 public:
  Arrival(Notices notices, std::unique_ptr<Link> link)
      : Newcomer(link->number, std::move(notices)), made(std::move(link)) {}
  std::unique_ptr<Link> made;
};

class UdpTransport::Maker final : public LinkMaker {
 public:
  Maker(const UdpOptions& options, std::uint16_t port, std::uint32_t credit)
      : options_(options), port_(port), credit_(credit), offered_(options.members) {}

  [[nodiscard]] Medium medium() const noexcept override { return Medium::udp; }
  [[nodiscard]] bool life_lines() const noexcept override { return true; }

  Expected<Offer> offer_for(LinkId link) override {
    const auto seed = runtime::random_word();
    if (!seed) return std::unexpected(seed.error());
    offered_[link] = {
        .port = port_, .credit = credit_, .packet_bytes = kMostTaken, .secret = {*seed}};
    return Offer{.parameters = encode(offered_[link]), .descriptors = {}};
  }

  Expected<std::unique_ptr<Newcomer>> make(MetPeer&& peer) override {
    const auto theirs = decode_udp_parameters(peer.parameters);
    if (!theirs) return std::unexpected(theirs.error());
    // Not asked of the socket: a peer that has died meanwhile is one that does not answer.
    runtime::Endpoint at_my_host = options_.address;
    runtime::set_port(at_my_host, theirs->port);
    const auto address = runtime::at_host(at_my_host, peer.host);
    if (!address) return std::unexpected(address.error());
    Notices notices;
    auto region = make_block(options_.region_bytes * kRegionCopies, "the region of a peer",
                             options_.blocks, notices);
    if (!region) return std::unexpected(region.error());
    const std::size_t packet_bytes =
        std::min<std::size_t>(packet_bytes_to(*address), theirs->packet_bytes);
    const UdpParameters& mine = offered_[peer.rank];
    return std::make_unique<Arrival>(
        std::move(notices),
        std::make_unique<Link>(
            peer.rank, *address, std::move(*region),
            packet::PacketLinkOptions{.my_rank = static_cast<std::uint16_t>(options_.my_rank),
                                      .mine = mine.secret,
                                      .theirs = theirs->secret,
                                      .keys = peer.keys.get(),
                                      .packet_bytes = packet_bytes,
                                      .peer_packet_bytes = mine.packet_bytes,
                                      .peer_credit = theirs->credit,
                                      .my_credit = mine.credit,
                                      .give_up_ns = options_.unanswered_ns,
                                      .region_bytes = options_.region_bytes}));
  }

 private:
  const UdpOptions options_;
  const std::uint16_t port_;
  const std::uint32_t credit_;
  std::vector<UdpParameters> offered_;  ///< by rank: the last
};

std::unique_ptr<LinkMaker> UdpTransport::link_maker() const {
  return std::make_unique<Maker>(options_, socket_->port(), credit_);
}

Expected<void> UdpTransport::adopt(std::unique_ptr<Newcomer> newcomer) {
  std::unique_ptr<Link>& link = links_[newcomer->link()];
  LOCKSTEP_ASSERT(link == nullptr);
  link = std::move(static_cast<Arrival&>(*newcomer).made);
  link->socket = socket_.get();
  notices_.add(newcomer->notices());
  return {};
}

void UdpTransport::hold_life_line(LinkId link, Descriptor line) noexcept {
  life_lines_->add({.link = link, .socket = std::move(line)});
}

void UdpTransport::drop(LinkId link) noexcept {
  life_lines_->drop(link);
  if (!links_[link]) return;
  socket_->submit();  // it points into memory that goes
  Link& dropped = *links_[link];
  dropped.packets.fail(DownReason::peer_left);
  last_completed_[link] = dropped.packets.completed();
  gone_ += dropped.packets.counts();
  links_[link].reset();
}

packet::PacketCounts UdpTransport::counts() const noexcept {
  packet::PacketCounts all = gone_;
  for (const auto& link : links_) {
    if (link) all += link->packets.counts();
  }
  return all;
}

// ---- writes ------------------------------------------------------------------------------------

std::span<std::byte> UdpTransport::inbound(LinkId link, std::uint32_t copy) noexcept {
  if (!links_[link]) return nobody_.bytes();
  return links_[link]->region.bytes().subspan(copy * options_.region_bytes, options_.region_bytes);
}

Post UdpTransport::write(LinkId link, std::uint32_t copy, std::uint64_t offset,
                         std::span<const std::byte> bytes, std::uint64_t mark) noexcept {
  LOCKSTEP_ASSERT(copy < kRegionCopies);
  LOCKSTEP_ASSERT(offset % sizeof(std::uint64_t) == 0);
  LOCKSTEP_ASSERT(bytes.size() % sizeof(std::uint64_t) == 0);
  LOCKSTEP_ASSERT(offset + bytes.size() <= options_.region_bytes);
  Link* const peer = links_[link].get();
  return peer == nullptr ? Post::down : peer->packets.push(copy, offset, bytes, mark);
}

void UdpTransport::flush(LinkId link) noexcept {
  Link* const peer = links_[link].get();
  if (peer != nullptr) peer->packets.send(clock_.now_ns(), *peer, false);
}

std::uint64_t UdpTransport::completed(LinkId link) const noexcept {
  return links_[link] ? links_[link]->packets.completed() : last_completed_[link];
}

void UdpTransport::renew_keys() noexcept {
  for (const auto& link : links_) {
    if (link) link->packets.renew_keys();
  }
}

// ---- the loop ----------------------------------------------------------------------------------

std::size_t UdpTransport::poll(std::span<LinkDown> events) noexcept {
  // Looked at first: what a peer sent before it died is here by now, and still counts.
  const std::uint64_t dead = life_lines_->take_ended();
  socket_->submit();
  receive();
  if (dead != 0) bury(dead);
  send_due(false);
  std::size_t count = 0;
  for (const auto& link : links_) {
    if (!link || link->reported || count == events.size()) continue;
    const auto reason = link->packets.down();
    if (!reason) continue;
    link->reported = true;
    events[count++] = {.link = link->number, .reason = *reason};
  }
  return count;
}

void UdpTransport::receive() noexcept {
  const std::uint64_t now_ns = clock_.now_ns();
  socket_->receive([&](std::span<const std::byte> packet) {
    const auto sender = packet::sender_of(packet);
    Link* const link = sender && *sender < links_.size() ? links_[*sender].get() : nullptr;
    if (link == nullptr) {
      ++gone_.rejected;
      return;
    }
    link->packets.receive(packet, now_ns);
  });
}

void UdpTransport::send_due(bool idle) noexcept {
  const std::uint64_t now_ns = clock_.now_ns();
  for (const auto& link : links_) {
    if (!link) continue;
    // Who is down is not heard again: what it waits for goes now.
    link->packets.send(now_ns, *link, idle || link->packets.down().has_value());
  }
  socket_->submit();
}

void UdpTransport::announce_sleep() noexcept { send_due(true); }

std::uint64_t UdpTransport::deadline_ns() const noexcept {
  std::uint64_t deadline = kNever;
  for (const auto& link : links_) {
    if (link) deadline = std::min(deadline, link->packets.deadline_ns());
  }
  return deadline;
}

void UdpTransport::bury(std::uint64_t dead) noexcept {
  for (const auto& link : links_) {
    if (link && ((dead >> link->number) & 1U) != 0) link->packets.fail(DownReason::peer_died);
  }
}

UdpTransport::~UdpTransport() {
  if (socket_) take_leave();
}

void UdpTransport::take_leave() noexcept {
  constexpr std::uint64_t kPatienceNs = 100'000'000;
  const std::uint64_t deadline_ns = clock_.now_ns() + kPatienceNs;
  const auto waits = [](const auto& link) {
    return link && !link->packets.down() && !link->packets.settled();
  };
  for (const auto& link : links_) {
    if (link && !link->packets.down()) link->packets.push_leave();
  }
  send_due(true);
  while (std::ranges::any_of(links_, waits) && clock_.now_ns() < deadline_ns) {
    pollfd waited{.fd = socket_->descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&waited, 1, 1);
    receive();
    send_due(true);
  }
}

}  // namespace lockstep::transports
