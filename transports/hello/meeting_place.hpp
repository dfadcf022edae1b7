#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "transports/hello/address_book.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/hello/link_keys.hpp"

namespace lockstep::transports {

/// What a conversation brought.
struct Heard {
  enum class What : std::uint8_t {
    nothing,
    hello,
    closed,    ///< by the peer
    refused,   ///< this peer is none; another one may be
    mismatch,  ///< this member is set up so that it cannot meet this peer, whoever it is
  } what = What::nothing;
  std::vector<std::byte> packet{};
  std::vector<Descriptor> descriptors{};
  std::string reason{};  ///< "sent what is no hello"; of `closed`: empty where nothing is known
};
inline Heard refused(std::string reason) {
  return {.what = Heard::What::refused, .reason = std::move(reason)};
}

/// A connection over which two members say hello to one another: one packet each way. Never
/// blocks; what a stranger sends is bounded by the longest hello.
class Conversation {
 public:
  virtual ~Conversation() = default;
  /// Sends `packet`, and descriptors where the medium carries them. False: the peer is gone.
  virtual bool say(std::span<const std::byte> packet, std::span<const int> descriptors) = 0;
  /// The peer's packet, once all of it is here and what was said has gone out. While `sending` the
  /// same packet is there to be heard again; otherwise nothing more is, after anything but
  /// `nothing`.
  virtual Heard hear() = 0;
  /// Readable (or writable, while something waits to go out) when hearing is worth it.
  [[nodiscard]] virtual int descriptor() const = 0;
  [[nodiscard]] virtual bool sending() const = 0;
  /// Whether it may be ended at no loss: the peer has not shown yet that it is a member, and this
  /// member has told nothing that the peer may rely on.
  [[nodiscard]] virtual bool early() const = 0;
  /// Who is at the other end, for people: an address, or a process.
  [[nodiscard]] virtual std::string peer() const = 0;
  /// The host at the other end, see runtime::host_of; empty where that is none or not known.
  [[nodiscard]] virtual std::string host() const { return {}; }
  /// The keys of the link that comes of this, once `hear` brought a hello; null: in the clear.
  /// Once.
  virtual std::unique_ptr<LinkKeys> take_keys() { return nullptr; }
  /// Whether `say` can send descriptors: both ends are on one host.
  [[nodiscard]] virtual bool near() const { return false; }
  /// The connection itself, for what comes after the hello.
  virtual Descriptor release() = 0;
};

/// Where members find one another: abstract unix sockets on one host, TCP elsewhere, or both.
class MeetingPlace {
 public:
  virtual ~MeetingPlace() = default;
  /// Takes this member's place, so that nobody else can. Errors: identity_in_use, system.
  virtual Expected<Descriptor> listen() = 0;
  /// A conversation with whoever holds the place of `rank`; null if nobody does yet, or if nobody
  /// knows where it is.
  virtual Expected<std::unique_ptr<Conversation>> dial(std::uint32_t rank) = 0;
  /// The next one that dialled us; null if there is none. `listener` is what `listen` gave.
  virtual std::unique_ptr<Conversation> accept(const Descriptor& listener) = 0;
  /// Where members listen, as far as is known, and where `dial` looks; null: places have names, so
  /// that there is nothing to know.
  [[nodiscard]] virtual AddressBook* addresses() noexcept { return nullptr; }
  /// What people should know of meeting here; empty: nothing.
  [[nodiscard]] virtual std::string notice() const { return {}; }
};

}  // namespace lockstep::transports
