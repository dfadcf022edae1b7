#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "transports/hello/group_key.hpp"
#include "transports/hello/hello_packet.hpp"
#include "transports/hello/secret.hpp"

namespace lockstep::transports {

/// Who dialled, and who was dialled: each has words of its own, so what one says is no use to
/// whoever says it back.
enum class Side : std::uint8_t { dialler, welcomer };

/// What both sides must have in common beside the key. Nothing of it is sent: it goes into every
/// tag, so that a side with other terms fails like one with another key and learns as little.
struct HandshakeTerms {
  std::string group;
  std::uint32_t welcomer_rank = 0;  ///< whom the dialler wants: its words serve nowhere else
  std::uint32_t version = kHelloVersion;
};

using PublicKey = std::array<unsigned char, 32>;
using Tag = std::array<unsigned char, 32>;

/// What either side says first: a public key made for this connection only, and the proof that who
/// made it knows the key of the group.
struct Greeting {
  PublicKey ephemeral{};
  Tag tag{};
};
static_assert(sizeof(Greeting) == 64);

/// How two members prove to one another that they know the key of the group, and get a key of their
/// own for each direction. In the shape of Noise's NNpsk0 (The Noise Protocol Framework, revision
/// 34, sections 7.4 and 9): fresh X25519 keys on both sides, and everything that is derived is
/// keyed BLAKE2b, under the group's key, over terms, both public keys and their shared secret.
///
///     dialler → welcomer   opening:      public key, tag by the group's key
///     welcomer → dialler   answer:       public key, tag by what only these two can derive
///     dialler → welcomer   confirmation: tag by the same
///
/// A recorded opening gets an answer and no further, since the confirmation depends on the fresh
/// key in it. Who learns the group's key later cannot read what was sealed before. A false opening
/// costs one hash, no curve. Sees no socket; one use per connection.
class Handshake {
 public:
  /// `key` must outlive this.
  Handshake(const GroupKey& key, HandshakeTerms terms);

  /// The dialler's first words; once.
  [[nodiscard]] Greeting opening();
  /// The welcomer's answer; nothing if `opening` was not made with this key on these terms. Once.
  [[nodiscard]] std::optional<Greeting> answer(const Greeting& opening);
  /// The dialler's: false if `answer` is not one to its own opening.
  [[nodiscard]] bool accepts(const Greeting& answer);

  /// From here on after `answer` or a successful `accepts`. What the dialler says next:
  [[nodiscard]] const Tag& confirmation() const noexcept { return dialler_tag_; }
  /// The welcomer's: whether the dialler is there now, and has the key.
  [[nodiscard]] bool confirms(const Tag& confirmation) const;
  /// With which `side` seals what it says.
  [[nodiscard]] const Secret& sealing_key(Side side) const noexcept {
    return side == Side::dialler ? dialler_seals_ : welcomer_seals_;
  }
  /// With which `side` seals what it sends over the link that comes of this. Once.
  void take_link_key(Side side, Secret& key);

 private:
  void make_ephemeral();
  [[nodiscard]] Tag opening_tag(const PublicKey& dialler) const;
  bool derive(const PublicKey& dialler, const PublicKey& welcomer, const PublicKey& theirs);

  const GroupKey& key_;
  const HandshakeTerms terms_;
  PublicKey mine_{};
  Secret secret_;
  Tag dialler_tag_{};
  Tag welcomer_tag_{};
  Secret dialler_seals_;
  Secret welcomer_seals_;
  Secret dialler_sends_;
  Secret welcomer_sends_;
};

}  // namespace lockstep::transports
