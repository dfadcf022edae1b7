#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/floor.hpp"
#include "bench/patience.hpp"
#include "bench/payload.hpp"
#include "bench/session.hpp"
#include "bench/stream_meeting.hpp"

namespace lockstep::bench {

/// The floor of throughput over TCP or UDP: every sender streams bare payloads to every other
/// member at once, with large calls, over the same links as the group's. Over UDP a call is a
/// datagram of the size that the transport sends, and receivers tell in shared memory how far they
/// are, so that nothing is lost and nothing is sent for that. Payloads are written once per sender
/// and read whole by every receiver. One object per member.
class SocketStreams final : public StreamFloor {
 public:
  SocketStreams(Session& session, std::uint32_t rank);

  Expected<Block> run() override;

 private:
  struct Peer {
    int socket;
    std::uint64_t to_send;     ///< bytes of this block
    std::uint64_t sent;        ///< of them
    std::uint64_t to_receive;  ///< bytes of this block
    std::uint32_t rank = 0;
    std::size_t part = 0;       ///< bytes of a payload that the last receive cut
    std::uint64_t gone = 0;     ///< bytes sent in all blocks
    std::uint64_t arrived = 0;  ///< bytes received in all blocks
  };

  void begin();
  void produce();
  bool send_some(Peer& peer);
  [[nodiscard]] std::uint64_t datagram_bytes(const Peer& peer) const;
  bool receive_some(Peer& peer);
  void consume(Peer& peer, std::size_t bytes);
  [[nodiscard]] bool complete() const;
  bool wait();

  Session& session_;
  std::uint32_t rank_;
  std::size_t message_bytes_;
  std::uint64_t messages_;
  bool udp_;
  std::vector<Peer> peers_;
  std::vector<std::byte> source_;  ///< a ring of whole messages
  std::vector<std::byte> buffer_;
  std::uint64_t produced_ = 0;  ///< bytes of this block
  std::uint64_t number_ = 0;
  Digest digest_;
  Patience patience_;
  StreamMeeting meeting_;
};

}  // namespace lockstep::bench
