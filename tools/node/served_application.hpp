#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/group.hpp"
#include "tools/node/application.hpp"
#include "tools/node/descriptor.hpp"

namespace lockstep::node {

/// An application between two threads: the reactor's, which applies messages, and the gateway's,
/// which asks for clients. One lock, held for the time of a message or an answer, so a client costs
/// the order what an answer takes: of a key-value store some microseconds, and never more than a
/// page of a list; of a matching engine, if it asks for the digest, a walk of the book.
class ServedApplication {
 public:
  /// Both outlive it.
  ServedApplication(const Bell& bell, Application& application)
      : bell_(bell), application_(application) {}

  // ---- gateway thread ----

  /// How many bytes at the front are a request; see Application.
  [[nodiscard]] Expected<std::size_t> request_bytes(std::span<const std::byte> bytes) const {
    return application_.request_bytes(bytes);
  }
  /// The answer to a whole request, as it came; nothing: it is on its way through the order and
  /// will be among the answers, under `token`.
  std::optional<std::string> ask(std::span<const std::byte> request, std::uint64_t token);
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
  [[nodiscard]] std::string summary();

 private:
  std::string post_refused(const Refusal& refusal, std::size_t bytes) const;

  /// Requests on their way, of clients that wait or have gone.
  static constexpr std::size_t kMostInFlight = 1'024;

  const Bell& bell_;
  Application& application_;
  std::mutex lock_;  ///< over the application and all below
  Group* group_ = nullptr;
  std::string closed_because_ = "this member has not joined its group yet; try again";
  std::vector<std::uint64_t> in_flight_;
  std::vector<Answer> answers_;
};

}  // namespace lockstep::node
