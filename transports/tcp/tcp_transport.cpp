#include "transports/tcp/tcp_transport.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "runtime/assert.hpp"
#include "runtime/clock.hpp"
#include "transports/tcp/sockets_io.hpp"
#include "transports/tcp/uring_io.hpp"

namespace lockstep::transports {
namespace {

/// Drops what a peer sent and nobody will read: closing over unread bytes would reset the
/// connection, and take what we sent and they have not yet acknowledged with it.
void discard_input(int socket) noexcept {
  std::byte buffer[4096];
  while (::recv(socket, buffer, sizeof buffer, MSG_DONTWAIT) > 0) {
  }
}

bool all_arrived(int socket) noexcept {
  int unsent = 0;
  return ::ioctl(socket, SIOCOUTQ, &unsent) != 0 || unsent == 0;
}

}  // namespace

TcpTransport::TcpTransport(const TcpOptions& options)
    : options_(options),
      region_bytes_(options.region_bytes),
      links_(options.members),
      last_completed_(options.members) {
  LOCKSTEP_ASSERT(options.region_bytes % 64 == 0);
}

Expected<std::unique_ptr<TcpTransport>> TcpTransport::open(const TcpOptions& options) {
  std::unique_ptr<TcpTransport> transport(new TcpTransport(options));
  if (auto made = transport->make_memory(); !made) return std::unexpected(made.error());
  if (auto made = transport->make_io(); !made) return std::unexpected(made.error());
  auto lines = LifeLines::hold();
  if (!lines) return std::unexpected(lines.error());
  transport->life_lines_ = std::move(*lines);
  transport->descriptors_[1] = transport->life_lines_->descriptor();
  transport->notices_.add(transport->life_lines_->notice());
  return transport;
}

Expected<void> TcpTransport::make_memory() {
  auto nobody = runtime::ZeroPages::create(region_bytes_);
  if (!nobody) return std::unexpected(nobody.error());
  nobody_ = std::move(*nobody);
  if (options_.source_bytes == 0) return {};
  auto source = make_block(options_.source_bytes, "this member's ring", options_.blocks, notices_);
  if (!source) return std::unexpected(source.error());
  source_ = std::move(*source);
  return {};
}

Expected<void> TcpTransport::make_io() {
  const auto keep = [this](auto io) -> Expected<void> {
    if (!io) return std::unexpected(io.error());
    io_ = std::move(*io);
    descriptors_[0] = io_->descriptor();
    return {};
  };
  if (options_.io == TcpIo::io_uring) return keep(tcp::UringIo::create());
  return keep(tcp::SocketsIo::create());
}

// ---- links come and go -------------------------------------------------------------------------

class TcpTransport::Arrival final : public Newcomer {
 public:
  Arrival(Notices notices, std::unique_ptr<tcp::Link> link)
      : Newcomer(link->number, std::move(notices)), made(std::move(link)) {}
  std::unique_ptr<tcp::Link> made;
};

class TcpTransport::Maker final : public LinkMaker {
 public:
  explicit Maker(const TcpOptions& options) : options_(options) {}

  [[nodiscard]] Medium medium() const noexcept override { return Medium::tcp; }
  [[nodiscard]] bool life_lines() const noexcept override { return true; }
  Expected<Offer> offer_for(LinkId /*link*/, bool /*near*/) override { return Offer{}; }

  Expected<std::unique_ptr<Newcomer>> make(MetPeer&& peer) override {
    Notices notices;
    auto region = make_block(options_.region_bytes * kRegionCopies, "the region of a peer",
                             options_.blocks, notices);
    if (!region) return std::unexpected(region.error());
    if (options_.unanswered_ns != 0) {
      const auto most_ms = static_cast<unsigned>(options_.unanswered_ns / 1'000'000);
      ::setsockopt(peer.socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &most_ms, sizeof most_ms);
    }
    return std::make_unique<Arrival>(
        std::move(notices),
        std::make_unique<tcp::Link>(peer.rank, std::move(peer.socket), std::move(*region),
                                    options_.region_bytes, peer.keys.get()));
  }

 private:
  const TcpOptions options_;
};

std::unique_ptr<LinkMaker> TcpTransport::link_maker() const {
  return std::make_unique<Maker>(options_);
}

Expected<void> TcpTransport::adopt(std::unique_ptr<Newcomer> newcomer) {
  std::unique_ptr<tcp::Link>& link = links_[newcomer->link()];
  LOCKSTEP_ASSERT(link == nullptr);
  link = std::move(static_cast<Arrival&>(*newcomer).made);
  notices_.add(newcomer->notices());
  auto added = io_->add(*link);
  if (!added) link.reset();
  return added;
}

void TcpTransport::hold_life_line(LinkId link, Descriptor line) noexcept {
  life_lines_->add({.link = link, .socket = std::move(line)});
}

std::span<std::byte> TcpTransport::inbound(LinkId link, std::uint32_t copy) noexcept {
  if (!links_[link]) return nobody_.bytes();
  return links_[link]->region.bytes().subspan(copy * region_bytes_, region_bytes_);
}

Post TcpTransport::write(LinkId link, std::uint32_t copy, std::uint64_t offset,
                         std::span<const std::byte> bytes, std::uint64_t mark) noexcept {
  LOCKSTEP_ASSERT(copy < kRegionCopies);
  LOCKSTEP_ASSERT(offset % sizeof(std::uint64_t) == 0);
  LOCKSTEP_ASSERT(bytes.size() % sizeof(std::uint64_t) == 0);
  LOCKSTEP_ASSERT(offset + bytes.size() <= region_bytes_);
  tcp::Link* const peer = links_[link].get();
  if (peer == nullptr || peer->down) return Post::down;
  return peer->out.push(copy, offset, bytes, mark);
}

void TcpTransport::flush(LinkId link) noexcept {
  if (links_[link]) io_->send(*links_[link]);
}

std::uint64_t TcpTransport::completed(LinkId link) const noexcept {
  return links_[link] ? links_[link]->out.completed() : last_completed_[link];
}

void TcpTransport::renew_keys() noexcept {
  for (const auto& link : links_) {
    if (link) link->renew_keys();
  }
}

std::size_t TcpTransport::poll(std::span<LinkDown> events) noexcept {
  // Looked at first: what a peer sent before it died is here by now, and still counts.
  const std::uint64_t dead = life_lines_->take_ended();
  io_->poll();
  if (dead != 0) bury(dead);
  std::size_t count = 0;
  for (const auto& link : links_) {
    if (!link || link->reported || count == events.size()) continue;
    events[count++] = {.link = link->number, .reason = link->reason};
    link->reported = true;
    io_->remove(*link);
    link->socket.reset();
  }
  return count;
}

void TcpTransport::bury(std::uint64_t dead) noexcept {
  for (const auto& link : links_) {
    if (link && ((dead >> link->number) & 1U) != 0) link->fail(DownReason::peer_died);
  }
}

void TcpTransport::drop(LinkId link) noexcept {
  life_lines_->drop(link);
  if (!links_[link]) return;
  tcp::Link& dropped = *links_[link];
  if (dropped.socket.open()) io_->remove(dropped);
  dropped.fail(DownReason::peer_left);
  last_completed_[link] = dropped.out.completed();
  links_[link].reset();
}

TcpTransport::~TcpTransport() {
  if (io_) take_leave();
}

void TcpTransport::take_leave() noexcept {
  constexpr std::uint64_t kPatienceNs = 100'000'000;
  const runtime::TscClock clock;
  const std::uint64_t deadline_ns = clock.now_ns() + kPatienceNs;
  for (const auto& link : links_) {
    if (!link || link->down) continue;
    link->out.push_leave();
    io_->send(*link);
  }
  for (const auto& link : links_) {
    if (!link || !link->socket.open()) continue;
    const int socket = link->socket.get();
    while (!link->down && clock.now_ns() < deadline_ns) {
      io_->send(*link);
      io_->poll();
      discard_input(socket);
      if (!link->has_output() && all_arrived(socket)) break;
      pollfd waited{.fd = socket, .events = POLLIN, .revents = 0};
      ::poll(&waited, 1, 1);
    }
    io_->remove(*link);
    discard_input(socket);
    ::shutdown(socket, SHUT_RDWR);
  }
}

}  // namespace lockstep::transports
