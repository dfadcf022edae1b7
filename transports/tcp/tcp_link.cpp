#include "transports/tcp/tcp_link.hpp"

#include <cerrno>
#include <utility>

namespace lockstep::transports::tcp {

Link::Link(LinkId its_number, Descriptor its_socket, runtime::SharedBlock its_region,
           std::size_t region_bytes, const LinkKeys* keys)
    : number(its_number),
      socket(std::move(its_socket)),
      region(std::move(its_region)),
      in(region.bytes(), region_bytes),
      sealed(keys != nullptr) {
  if (!sealed) return;
  writer = std::make_unique<RecordWriter>(keys->cipher, keys->sending);
  reader = std::make_unique<RecordReader>(keys->cipher, keys->receiving);
}

std::size_t Link::gather(stream::OutboundStream::Pieces& pieces) noexcept {
  if (!sealed) return out.gather(pieces);
  writer->fill(out);
  const auto waiting = writer->waiting();
  pieces[0] = {const_cast<std::byte*>(waiting.data()), waiting.size()};
  return 1;
}

void Link::end(int error) noexcept {
  // The kernel ends the connections of a process that dies: with its end, or with a reset when
  // bytes for it were still unread. Everything else is the network.
  const bool ended = error == 0 || error == ECONNRESET || error == EPIPE;
  const auto network = error == ETIMEDOUT ? DownReason::unreachable : DownReason::link_failed;
  fail(ended ? DownReason::peer_died : network);
}

}  // namespace lockstep::transports::tcp
