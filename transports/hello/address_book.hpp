#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "transports/hello/address_word.hpp"

namespace lockstep::transports {

/// Where the members of a group listen, as far as one of them knows: what it was configured with,
/// and what members say in their hellos, each of itself and of those that it heard it from.
///
/// Of each member there are several addresses, the likeliest first: where it was met, or what was
/// configured; then the newest word, which is its own when it says one. An address at which nobody
/// is goes behind the others, and one that a member said it had when it says another now. One at
/// which somebody else is was a lie or is stale, and is forgotten unless it was configured. So a
/// false word costs an attempt, and hides no true one for long.
///
/// Only what a member said itself is told to others: a lie goes no further than whom it is told.
/// Sees no socket. One thread at a time.
class AddressBook {
 public:
  /// The addresses of one member that are kept: the configured one, its own word, and two more.
  static constexpr std::size_t kMostPerMember = 4;

  /// `configured` has an address per member as runtime::parse_endpoint reads them, or an empty
  /// text; that of `my_rank` must be there. `version` is at least 1, and higher than when this
  /// member was here before.
  AddressBook(const std::vector<std::string>& configured, std::uint32_t my_rank,
              std::uint64_t version);

  /// Where to dial `rank` next; empty: nobody knows. Not for this member itself.
  [[nodiscard]] const std::string& address(std::uint32_t rank) const noexcept;
  /// Whether this member knows more than one address of `rank`.
  [[nodiscard]] bool has_others(std::uint32_t rank) const noexcept {
    return entries_[rank].places.size() > 1;
  }
  /// Whether the configuration says that `rank` listens at `address`, so that no other is to blame.
  [[nodiscard]] bool is_configured(std::uint32_t rank, const std::string& address) const noexcept;
  /// Whether nobody was there at all addresses of `rank` that are known, since it was last met.
  [[nodiscard]] bool exhausted(std::uint32_t rank) const noexcept;

  /// `rank` was met at `address`: the first to be tried again.
  void met(std::uint32_t rank, const std::string& address);
  /// Nobody was there, or nobody who answered.
  void nobody_there(std::uint32_t rank, const std::string& address);
  /// Somebody was there who is not `rank`.
  void disproved(std::uint32_t rank, const std::string& address);

  /// What `teller` said in its hello, over a connection that came from `host` (see
  /// runtime::host_of; empty: not known). Who listens at all addresses of its host, or at one of a
  /// single link, is taken to listen where it was seen.
  void heed(std::uint32_t teller, const std::string& host, std::span<const AddressWord> words);
  /// What this member says in its hellos.
  [[nodiscard]] std::vector<AddressWord> words() const;

 private:
  struct Place {
    std::string address;
    std::uint64_t version = 0;  ///< 0: only configured
    bool configured = false;
    bool vain = false;  ///< nobody was there
  };
  struct Entry {
    std::vector<Place> places;  ///< the likeliest first
    AddressWord own_word;       ///< as the member said it itself; version 0: it said none
  };

  void take_own_word(std::uint32_t rank, const std::string& host, const AddressWord& word);
  static void take_word(Entry& entry, const std::string& address, std::uint64_t version);
  static void put_ahead(Entry& entry, const std::string& address, std::uint64_t version);
  static void make_room(Entry& entry);

  const std::uint32_t my_rank_;
  std::vector<Entry> entries_;  ///< by rank
};

}  // namespace lockstep::transports
