#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "transports/sealing/record.hpp"
#include "transports/stream/inbound_stream.hpp"

namespace lockstep::transports {

/// Opens the records that come over a socket, in pieces of any length, and hands what is in them to
/// a stream of writes. Anything may arrive: what is not the peer's next record ends the stream, and
/// nothing of it was applied.
///
/// One thread. Allocates when made.
class RecordReader {
 public:
  RecordReader(CipherKind kind, const Secret& key);

  /// Feeds `stream` with every record that `piece` completes.
  stream::InboundStream::State feed(std::span<const std::byte> piece,
                                    stream::InboundStream& stream) noexcept;

 private:
  /// Moves bytes of `piece` to what is held until `wanted` are there; false while some are missing.
  bool hold(std::span<const std::byte>& piece, std::size_t wanted) noexcept;
  [[nodiscard]] bool open(std::span<const std::byte> record, const RecordHeader& header) noexcept;

  LinkCipher cipher_;
  std::unique_ptr<std::byte[]> held_;  ///< the begin of a record whose rest is not here
  std::unique_ptr<std::byte[]> plain_;
  std::size_t held_bytes_ = 0;
  std::uint64_t records_ = 0;
  bool broken_ = false;
};

}  // namespace lockstep::transports
