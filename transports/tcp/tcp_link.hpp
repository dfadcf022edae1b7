#pragma once

#include <cstdint>

#include "runtime/memory.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/stream/inbound_stream.hpp"
#include "transports/stream/outbound_stream.hpp"

namespace lockstep::transports::tcp {

/// One peer: its socket, the memory its writes are put into, and both streams.
struct Link {
  Link(LinkId its_number, Descriptor its_socket, runtime::SharedBlock its_region,
       std::size_t region_bytes) noexcept
      : number(its_number),
        socket(std::move(its_socket)),
        region(std::move(its_region)),
        in(region.bytes(), region_bytes) {}

  /// The link is down for good; reported by the next poll.
  void fail(DownReason why) noexcept {
    if (down) return;
    down = true;
    reported = false;
    reason = why;
    out.clear();
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
  bool down = false;
  bool reported = true;
  DownReason reason = DownReason::link_failed;
};

}  // namespace lockstep::transports::tcp
