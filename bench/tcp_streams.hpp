#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/floor.hpp"
#include "bench/patience.hpp"
#include "bench/payload.hpp"
#include "bench/session.hpp"

namespace lockstep::bench {

/// The floor of throughput over TCP: every sender streams bare payloads to every other member at
/// once, with large calls, over the same links as the group's. Payloads are written once per
/// sender and read whole by every receiver. One object per member.
class TcpStreams final : public StreamFloor {
 public:
  TcpStreams(Session& session, std::uint32_t rank);

  Expected<Block> run() override;

 private:
  struct Peer {
    int socket;
    std::uint64_t to_send;     ///< bytes of this block
    std::uint64_t sent;        ///< of them
    std::uint64_t to_receive;  ///< bytes of this block
    std::size_t part = 0;      ///< bytes of a payload that the last receive cut
  };

  void begin();
  void produce();
  bool send_some(Peer& peer);
  bool receive_some(Peer& peer);
  void consume(Peer& peer, std::size_t bytes);
  [[nodiscard]] bool complete() const;
  bool wait();
  Expected<void> meet();

  Session& session_;
  std::uint32_t rank_;
  std::size_t message_bytes_;
  std::uint64_t messages_;
  std::vector<Peer> peers_;
  std::vector<std::byte> source_;  ///< a ring of whole messages
  std::vector<std::byte> buffer_;
  std::uint64_t produced_ = 0;  ///< bytes of this block
  std::uint64_t number_ = 0;
  Digest digest_;
  Patience patience_;
  std::uint64_t meetings_ = 0;
};

}  // namespace lockstep::bench
