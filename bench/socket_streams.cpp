#include "bench/socket_streams.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "bench/floor_stream.hpp"
#include "bench/patience.hpp"

namespace lockstep::bench {
namespace {

constexpr std::size_t kSourceBytes = 1024 * 1024;
constexpr std::size_t kBufferBytes = 256 * 1024;
/// What is written before it is offered to the sockets.
constexpr std::size_t kBurstBytes = 64 * 1024;

}  // namespace

SocketStreams::SocketStreams(Session& session, std::uint32_t rank)
    : session_(session),
      rank_(rank),
      message_bytes_(std::max<std::uint64_t>(session.plan.options.payload_bytes, 1)),
      messages_(stream_block_messages(message_bytes_)),
      udp_(session.plan.options.transport == "udp"),
      source_(std::max<std::size_t>(kSourceBytes / message_bytes_, 2) * message_bytes_),
      buffer_(std::max(kBufferBytes, message_bytes_)),
      patience_(session.clock, session.gives_way()),
      meeting_(session, session.gives_way()) {
  for (std::uint32_t peer = 0; peer < session.plan.options.members; ++peer) {
    if (peer != rank) peers_.push_back({session.mesh->socket(rank, peer), 0, 0, 0, peer});
  }
}

Expected<StreamFloor::Block> SocketStreams::run() {
  begin();
  if (auto met = meeting_.meet(); !met) return std::unexpected(met.error());
  const std::uint64_t start_ns = session_.clock.now_ns();
  patience_.renew();
  while (!complete()) {
    produce();
    bool progress = false;
    for (Peer& peer : peers_) {
      progress |= send_some(peer);
      progress |= receive_some(peer);
    }
    if (progress) {
      patience_.renew();
    } else if (!wait()) {
      return silent_pair();
    }
  }
  if (auto met = meeting_.meet(); !met) return std::unexpected(met.error());
  return Block{messages_ * session_.plan.senders, session_.clock.now_ns() - start_ns};
}

void SocketStreams::begin() {
  const std::uint64_t bytes = messages_ * message_bytes_;
  produced_ = 0;
  std::uint32_t rank = 0;
  for (Peer& peer : peers_) {
    if (rank == rank_) ++rank;
    peer.to_send = rank_ < session_.plan.senders ? bytes : 0;
    peer.to_receive = rank < session_.plan.senders ? bytes : 0;
    peer.sent = 0;
    ++rank;
  }
}

void SocketStreams::produce() {
  if (peers_.empty() || produced_ == peers_.front().to_send) return;
  const std::uint64_t slowest = std::ranges::min(peers_, {}, &Peer::sent).sent;
  const std::uint64_t room = slowest + source_.size() - produced_;
  const std::uint64_t most = std::min<std::uint64_t>(
      {peers_.front().to_send - produced_, room, std::max(kBurstBytes, message_bytes_)});
  for (std::uint64_t bytes = 0; bytes + message_bytes_ <= most; bytes += message_bytes_) {
    fill({source_.data() + produced_ % source_.size(), message_bytes_}, ++number_);
    produced_ += message_bytes_;
  }
}

bool SocketStreams::send_some(Peer& peer) {
  const std::size_t offset = peer.sent % source_.size();
  std::size_t bytes = std::min<std::uint64_t>(produced_ - peer.sent, source_.size() - offset);
  if (udp_) bytes = std::min<std::uint64_t>(bytes, datagram_bytes(peer));
  if (bytes == 0) return false;
  const ssize_t sent = ::send(peer.socket, source_.data() + offset, bytes, MSG_NOSIGNAL);
  if (sent <= 0) return false;
  peer.sent += static_cast<std::uint64_t>(sent);
  peer.gone += static_cast<std::uint64_t>(sent);
  return true;
}

/// The size of the next datagram, whole payloads where some fit; 0: the receiver has too many.
std::uint64_t SocketStreams::datagram_bytes(const Peer& peer) const {
  const std::uint64_t most = session_.mesh->datagram_bytes();
  const std::uint64_t whole = most / message_bytes_ * message_bytes_;
  const std::uint64_t bytes = whole == 0 ? most : whole;
  const std::uint64_t on_its_way = peer.gone - session_.arrived(peer.rank, rank_).load();
  return on_its_way + bytes <= session_.mesh->window_bytes() ? bytes : 0;
}

bool SocketStreams::receive_some(Peer& peer) {
  if (peer.to_receive == 0) return false;
  const std::size_t most = std::min<std::uint64_t>(peer.to_receive, buffer_.size());
  const ssize_t got = ::recv(peer.socket, buffer_.data(), most, 0);
  if (got <= 0) return false;
  consume(peer, static_cast<std::size_t>(got));
  peer.arrived += static_cast<std::uint64_t>(got);
  if (udp_) session_.arrived(rank_, peer.rank).store(peer.arrived);
  return true;
}

void SocketStreams::consume(Peer& peer, std::size_t bytes) {
  peer.to_receive -= bytes;
  // Every byte is read once, message by message; one that was cut counts where it ends.
  for (std::size_t at = 0; at < bytes;) {
    const std::size_t some = std::min(message_bytes_ - peer.part, bytes - at);
    digest_.add(++number_, rank_, sum({buffer_.data() + at, some}));
    peer.part = (peer.part + some) % message_bytes_;
    at += some;
  }
}

bool SocketStreams::complete() const {
  return std::ranges::all_of(
      peers_, [](const Peer& peer) { return peer.sent == peer.to_send && peer.to_receive == 0; });
}

bool SocketStreams::wait() {
  if (!session_.floor_sleeps()) return patience_.wait();
  std::vector<pollfd> waited;
  for (const Peer& peer : peers_) {
    const int events = (peer.to_receive > 0 ? POLLIN : 0) | (peer.sent < produced_ ? POLLOUT : 0);
    waited.push_back({.fd = peer.socket, .events = static_cast<short>(events), .revents = 0});
  }
  return ::poll(waited.data(), waited.size(), static_cast<int>(Patience::kSilenceNs / 1'000'000)) >
         0;
}

}  // namespace lockstep::bench
