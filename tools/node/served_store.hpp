#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/group.hpp"
#include "tools/node/descriptor.hpp"
#include "tools/node/kv_store.hpp"

namespace lockstep::node {

/// A key-value store between two threads: the reactor's, which applies messages, and the gateway's,
/// which asks for clients. One lock, held for the time of a put, a look-up or a page of a list: so
/// a client costs the order a few microseconds and never more than kPageBytes of copying.
class ServedStore {
 public:
  explicit ServedStore(const Bell& bell) : bell_(bell) {}

  // ---- gateway thread ----

  /// The answer to a whole request, `packet` as it came; nothing: it is on its way through the
  /// order and will be among the answers, under `token`.
  std::optional<std::string> ask(const Request& request, std::span<const std::byte> packet,
                                 std::uint64_t token);
  struct Answer {
    std::uint64_t token = 0;
    std::string packet;
  };
  /// All since the last call. `bell` rings when there are some.
  [[nodiscard]] std::vector<Answer> take_answers();

  // ---- reactor thread ----

  /// Requests go through `group` from now on.
  void open(Group& group);
  /// And no longer: what comes from now on is refused with `reason`.
  void close(std::string_view reason);
  /// What is on its way is answered with `reason`, since its outcome will not be seen here.
  void give_up(std::string_view reason);
  [[nodiscard]] bool all_answered();

  void apply(const Message& message);
  bool save(SnapshotWriter& writer);
  void load(SnapshotReader& reader);
  void clear();
  /// "2 keys, digest 8c3e…"
  [[nodiscard]] std::string summary();

 private:
  std::string post_refused(const Refusal& refusal, std::size_t bytes) const;

  /// Requests on their way, of clients that wait or have gone.
  static constexpr std::size_t kMostInFlight = 1'024;

  const Bell& bell_;
  std::mutex lock_;  ///< over all below
  KvStore store_;
  Group* group_ = nullptr;
  std::string closed_because_ = "this member has not joined its group yet; try again";
  std::vector<std::uint64_t> in_flight_;
  std::vector<Answer> answers_;
};

}  // namespace lockstep::node
