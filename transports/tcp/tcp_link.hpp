#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "runtime/memory.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/hello/link_keys.hpp"
#include "transports/sealing/record_reader.hpp"
#include "transports/sealing/record_writer.hpp"
#include "transports/stream/inbound_stream.hpp"
#include "transports/stream/outbound_stream.hpp"

namespace lockstep::transports::tcp {

/// One peer: its socket, the memory its writes are put into, and both streams. Where the link has
/// keys, what the socket carries is sealed.
struct Link {
  /// `keys`: null where nothing is sealed.
  Link(LinkId its_number, Descriptor its_socket, runtime::SharedBlock its_region,
       std::size_t region_bytes, const LinkKeys* keys);

  /// What `gather` would give is not nothing.
  [[nodiscard]] bool has_output() const noexcept {
    return !out.empty() || (sealed && !writer->waiting().empty());
  }
  /// As stream::OutboundStream: what the socket is to be given next, and how much of it was taken.
  std::size_t gather(stream::OutboundStream::Pieces& pieces) noexcept;
  void sent(std::size_t bytes) noexcept { sealed ? writer->sent(bytes) : out.sent(bytes); }
  /// Takes what came over the socket.
  void feed(std::span<const std::byte> bytes) noexcept {
    heed(sealed ? reader->feed(bytes, in) : in.feed(bytes));
  }
  /// See stream::InboundStream::direct; what is sealed must be opened first.
  [[nodiscard]] std::span<std::byte> direct(std::size_t least) const noexcept {
    return sealed ? std::span<std::byte>{} : in.direct(least);
  }
  void renew_keys() noexcept {
    if (sealed) writer->renew_key();
  }

  /// The link is down for good; reported by the next poll.
  void fail(DownReason why) noexcept {
    if (down) return;
    down = true;
    reported = false;
    reason = why;
    out.clear();
    if (sealed) writer->clear();
  }
  /// The socket gave an error, or its end if that is 0. An end after the peer took its leave is
  /// what it announced.
  void end(int error) noexcept;

  /// What is due when a peer's stream brought `state`.
  void heed(stream::InboundStream::State state) noexcept {
    if (state == stream::InboundStream::State::left) fail(DownReason::peer_left);
    if (state == stream::InboundStream::State::broken) fail(DownReason::protocol_error);
  }

  const LinkId number;
  Descriptor socket;
  runtime::SharedBlock region;
  stream::InboundStream in;
  stream::OutboundStream out;
  const bool sealed;
  std::unique_ptr<RecordWriter> writer;  ///< where sealed, as the next
  std::unique_ptr<RecordReader> reader;
  bool down = false;
  bool reported = true;
  DownReason reason = DownReason::link_failed;
};

}  // namespace lockstep::transports::tcp
