// What anybody may send into a socket over which state is given, in pieces of any length: packets
// come out as they were framed, up to the first length that nobody sends.

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "tests/fuzz/transfer_ends.hpp"
#include "transports/hello/socket_channel.hpp"

namespace lockstep::transports {
namespace {

using membership::Bytes;
using membership::require;

/// The plainest reader of a stream: all at once.
std::vector<Bytes> packets_in(std::span<const std::byte> stream) {
  std::vector<Bytes> packets;
  std::uint32_t length = 0;
  while (stream.size() >= sizeof length) {
    std::memcpy(&length, stream.data(), sizeof length);
    stream = stream.subspan(sizeof length);
    if (length == 0 || length > StateChannel::kMostPacketBytes || length > stream.size()) break;
    packets.emplace_back(stream.begin(), stream.begin() + length);
    stream = stream.subspan(length);
  }
  return packets;
}

void receive_all(SocketChannel& channel, std::vector<Bytes>& packets) {
  for (auto packet = channel.receive(); !packet.empty(); packet = channel.receive()) {
    packets.emplace_back(packet.begin(), packet.end());
  }
}

void run(int type, std::span<const std::uint8_t> input) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    // A busy machine may have no more sockets for a moment; one that leaks them is at fault here.
    require(errno != EMFILE);
    return;
  }
  const auto channel = std::move(*SocketChannel::create(Descriptor(ends[0])));
  Descriptor stranger(ends[1]);
  membership::Choices choices(input);
  std::vector<Bytes> expected;
  std::vector<Bytes> heard;
  Bytes stream;
  while (choices.left()) {
    const Bytes piece = choices.take_bytes(choices.take<std::uint8_t>() % 61 + 1);
    if (piece.empty()) break;
    if (::send(stranger.get(), piece.data(), piece.size(), MSG_NOSIGNAL) < 0) break;
    stream.insert(stream.end(), piece.begin(), piece.end());
    if (type == SOCK_SEQPACKET && channel->open()) {
      const auto whole = packets_in(piece);
      if (whole.size() == 1 && whole[0].size() + sizeof(std::uint32_t) == piece.size()) {
        expected.push_back(whole[0]);
      }
    }
    receive_all(*channel, heard);
  }
  stranger.reset();
  for (int i = 0; i < 4; ++i) receive_all(*channel, heard);
  require(!channel->open());
  if (type == SOCK_STREAM) expected = packets_in(stream);
  require(heard == expected);
}

}  // namespace
}  // namespace lockstep::transports

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lockstep::transports::run(SOCK_STREAM, {data, size});
  lockstep::transports::run(SOCK_SEQPACKET, {data, size});
  return 0;
}
