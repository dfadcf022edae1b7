#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lockstep/snapshot.hpp"
#include "tools/node/kv_state.hpp"

namespace lockstep::node {

/// A snapshot on its way out: the state as it was at the cut, while puts go on. Nothing is copied
/// at the cut; a put to a key that has not been written yet first leaves its old value here
/// (copy-on-write by key). A cut that nobody asks for any more holds at most the state once more,
/// until the next one.
///
/// A snapshot is "LSKVSNP1", the number of entries and the digest (8 bytes each), then the entries
/// in ascending order, as in a list of kv_packet.hpp. Little-endian.
class KvCut {
 public:
  /// StateMachine::save, over `state`.
  bool save(const KvState& state, SnapshotWriter& writer);

  /// Before each put to `state`.
  void about_to_put(const KvState& state, std::string_view key);

 private:
  void begin(const KvState& state);
  bool produce(const KvState& state);

  bool streaming_ = false;
  /// What was written last; puts to keys up to it are nothing to the cut.
  std::optional<std::string> last_;
  /// By key, what was there at the cut; nothing: it was not.
  std::map<std::string, std::optional<std::string>, std::less<>> before_;
  std::string piece_;        ///< produced, and written up to…
  std::size_t written_ = 0;  ///< …here
};

/// The magic and the two words in front of a snapshot's entries.
inline constexpr std::size_t kSnapshotHeaderBytes = 24;
inline constexpr std::string_view kSnapshotMagic = "LSKVSNP1";

}  // namespace lockstep::node
