#include "transports/hello/address_book.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <tuple>
#include <utility>

#include "runtime/assert.hpp"
#include "runtime/endpoint.hpp"

namespace lockstep::transports {
namespace {

const std::string kNone;

/// The same endpoint in the same words, so that it is kept once; as it is if it cannot be read now
/// (a scope whose interface is not there).
std::string one_text(const std::string& address) {
  const auto endpoint = runtime::parse_endpoint(address);
  return endpoint ? runtime::to_text(*endpoint) : address;
}

/// Nothing of the interfaces of this host.
std::string without_scope(std::string address) {
  const std::size_t percent = address.find('%');
  if (percent != std::string::npos) address.erase(percent, address.find(']') - percent);
  return address;
}

template <class Places>
auto find_place(Places& places, const std::string& address) {
  return std::ranges::find_if(places, [&](const auto& one) { return one.address == address; });
}

}  // namespace

AddressBook::AddressBook(const std::vector<std::string>& configured, std::uint32_t my_rank,
                         std::uint64_t version)
    : my_rank_(my_rank), entries_(configured.size()) {
  LOCKSTEP_ASSERT(my_rank < configured.size());
  LOCKSTEP_ASSERT(!configured[my_rank].empty());
  LOCKSTEP_ASSERT(version > 0);
  for (std::uint32_t rank = 0; rank < configured.size(); ++rank) {
    if (configured[rank].empty() || rank == my_rank) continue;
    entries_[rank].places.push_back({.address = one_text(configured[rank]), .configured = true});
  }
  entries_[my_rank].own_word = {
      .rank = my_rank, .version = version, .address = without_scope(one_text(configured[my_rank]))};
}

const std::string& AddressBook::address(std::uint32_t rank) const noexcept {
  const auto& places = entries_[rank].places;
  return places.empty() ? kNone : places.front().address;
}

bool AddressBook::is_configured(std::uint32_t rank, const std::string& address) const noexcept {
  const auto& places = entries_[rank].places;
  const auto found = find_place(places, address);
  return found != places.end() && found->configured;
}

bool AddressBook::exhausted(std::uint32_t rank) const noexcept {
  const auto& places = entries_[rank].places;
  return std::ranges::all_of(places, &Place::vain);
}

void AddressBook::met(std::uint32_t rank, const std::string& address) {
  Entry& entry = entries_[rank];
  for (Place& place : entry.places) place.vain = false;
  const auto found = find_place(entry.places, address);
  if (found != entry.places.end()) std::rotate(entry.places.begin(), found, std::next(found));
}

void AddressBook::nobody_there(std::uint32_t rank, const std::string& address) {
  auto& places = entries_[rank].places;
  const auto found = find_place(places, address);
  if (found == places.end()) return;
  found->vain = true;
  std::rotate(found, std::next(found), places.end());
}

void AddressBook::disproved(std::uint32_t rank, const std::string& address) {
  Entry& entry = entries_[rank];
  const auto found = find_place(entry.places, address);
  if (found == entry.places.end()) return;
  if (found->configured) return nobody_there(rank, address);
  // Nor is it told to others any more.
  if (entry.own_word.address == address) entry.own_word = {};
  entry.places.erase(found);
}

void AddressBook::heed(std::uint32_t teller, const std::string& host,
                       std::span<const AddressWord> words) {
  for (const AddressWord& word : words) {
    if (word.rank >= entries_.size() || word.rank == my_rank_) continue;
    const auto endpoint = runtime::parse_endpoint(word.address);
    if (!endpoint) continue;
    if (word.rank == teller) {
      take_own_word(word.rank, host, word);
    } else if (!runtime::is_of_one_host(*endpoint)) {
      take_word(entries_[word.rank], runtime::to_text(*endpoint), word.version);
    }
  }
}

/// Newer than all that is known: its clock may be behind the one that it had before.
void AddressBook::take_own_word(std::uint32_t rank, const std::string& host,
                                const AddressWord& word) {
  auto endpoint = runtime::parse_endpoint(word.address);
  if (endpoint && runtime::is_of_one_host(*endpoint)) endpoint = runtime::at_host(*endpoint, host);
  if (!endpoint) return;
  Entry& entry = entries_[rank];
  const std::string address = runtime::to_text(*endpoint);
  std::uint64_t version = word.version;
  for (const Place& place : entry.places) {
    const bool last = place.version == std::numeric_limits<std::uint64_t>::max();
    const std::uint64_t beyond =
        place.address == address || last ? place.version : place.version + 1;
    version = std::max(version, beyond);
  }
  const bool moved = entry.own_word.version != 0 && entry.own_word.address != address;
  if (moved) nobody_there(rank, std::exchange(entry.own_word, {}).address);
  // Who says the same as ever, but was met at another address, is dialled there again.
  const auto found = find_place(entry.places, address);
  const bool nothing_new = entry.own_word.address == address && entry.own_word.version == version &&
                           found != entry.places.end() && !found->vain;
  if (!nothing_new) put_ahead(entry, address, version);
  entry.own_word = {.rank = rank, .version = version, .address = address};
}

void AddressBook::take_word(Entry& entry, const std::string& address, std::uint64_t version) {
  const bool newest = std::ranges::all_of(
      entry.places, [&](const Place& place) { return place.version < version; });
  if (newest) return put_ahead(entry, address, version);
  const auto found = find_place(entry.places, address);
  if (found != entry.places.end()) {
    found->version = std::max(found->version, version);
    return;
  }
  make_room(entry);
  entry.places.push_back({.address = address, .version = version});
}

/// Before all others, but for a configured address at which nobody was missed: whoever wrote it
/// down may have had a reason to prefer it, such as a faster network.
void AddressBook::put_ahead(Entry& entry, const std::string& address, std::uint64_t version) {
  auto& places = entry.places;
  Place place{.address = address, .version = version};
  if (const auto found = find_place(places, address); found != places.end()) {
    place.configured = found->configured;
    places.erase(found);
  }
  make_room(entry);
  auto where = places.begin();
  if (where != places.end() && where->configured && !where->vain) ++where;
  places.insert(where, std::move(place));
}

/// Gone is, of those that are not configured, the oldest word; sooner one where nobody was.
void AddressBook::make_room(Entry& entry) {
  if (entry.places.size() < kMostPerMember) return;
  const auto order = [](const Place& place) {
    return std::tuple(place.configured, !place.vain, place.version);
  };
  entry.places.erase(std::ranges::min_element(entry.places, {}, order));
}

std::vector<AddressWord> AddressBook::words() const {
  std::vector<AddressWord> words;
  for (const Entry& entry : entries_) {
    const AddressWord& word = entry.own_word;
    // One with a scope, seen over a link of this host, means nothing elsewhere.
    if (word.version != 0 && !word.address.contains('%')) words.push_back(word);
  }
  return words;
}

}  // namespace lockstep::transports
