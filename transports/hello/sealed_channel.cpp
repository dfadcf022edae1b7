#include "transports/hello/sealed_channel.hpp"

#include <utility>

#include "runtime/assert.hpp"

namespace lockstep::transports {
namespace {

/// The kind of number that packets of a channel have, see LinkCipher::Number.
constexpr std::uint32_t kStateNumbers = 0x7374;

}  // namespace

SealedChannel::SealedChannel(std::unique_ptr<SocketChannel> carrier, const LinkKeys& keys)
    : carrier_(std::move(carrier)),
      sending_(keys.cipher, keys.sending),
      receiving_(keys.cipher, keys.receiving),
      sealed_(kMostPacketBytes + LinkCipher::kTagBytes),
      plain_(kMostPacketBytes) {}

Expected<std::unique_ptr<SealedChannel>> SealedChannel::create(Descriptor socket,
                                                               const LinkKeys& keys) {
  auto carrier = SocketChannel::create(std::move(socket), LinkCipher::kTagBytes);
  if (!carrier) return std::unexpected(carrier.error());
  return std::unique_ptr<SealedChannel>(new SealedChannel(std::move(*carrier), keys));
}

bool SealedChannel::send(std::span<const std::byte> packet) noexcept {
  LOCKSTEP_ASSERT(packet.size() <= kMostPacketBytes);
  // Before it costs an encryption. What is refused later than here was not sent either, so its
  // number may stand for another packet.
  if (!open() || !carrier_->flush()) return false;
  const std::size_t bytes = packet.size();
  sending_.seal({kStateNumbers, sent_}, {}, packet, sealed_.data(), sealed_.data() + bytes);
  if (!carrier_->send(std::span(sealed_).first(bytes + LinkCipher::kTagBytes))) return false;
  ++sent_;
  return true;
}

std::span<const std::byte> SealedChannel::receive() noexcept {
  if (broken_) return {};
  const auto sealed = carrier_->receive();
  if (sealed.empty()) return {};
  broken_ = true;
  if (sealed.size() <= LinkCipher::kTagBytes) return {};
  const std::size_t bytes = sealed.size() - LinkCipher::kTagBytes;
  if (!receiving_.open({kStateNumbers, received_}, {}, sealed.first(bytes), sealed.data() + bytes,
                       plain_.data())) {
    return {};
  }
  broken_ = false;
  ++received_;
  return std::span(plain_).first(bytes);
}

}  // namespace lockstep::transports
