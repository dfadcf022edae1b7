#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "transports/sealing/record.hpp"
#include "transports/stream/outbound_stream.hpp"

namespace lockstep::transports {

/// Seals a stream of writes into records, for a socket to send.
///
/// One thread. Allocates when made.
class RecordWriter {
 public:
  RecordWriter(CipherKind kind, const Secret& key);

  /// Takes what waits in `stream`, as much as there is room for, while nothing sealed waits.
  void fill(stream::OutboundStream& stream) noexcept;
  /// What is to be sent next; stays as it is until `sent`.
  [[nodiscard]] std::span<const std::byte> waiting() const noexcept {
    return {memory_.get() + sent_, filled_ - sent_};
  }
  void sent(std::size_t bytes) noexcept { sent_ += bytes; }
  /// The link is down.
  void clear() noexcept { sent_ = filled_ = 0; }

  /// What is sealed from now on is under the next key.
  void renew_key() noexcept { renew_ = true; }

 private:
  /// Several records go with one system call.
  static constexpr std::size_t kRecords = 8;

  LinkCipher cipher_;
  std::unique_ptr<std::byte[]> plain_;
  std::unique_ptr<std::byte[]> memory_;
  std::size_t filled_ = 0;
  std::size_t sent_ = 0;
  std::uint64_t records_ = 0;
  bool renew_ = false;
};

}  // namespace lockstep::transports
