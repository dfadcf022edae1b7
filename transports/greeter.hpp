#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lockstep/config.hpp"
#include "lockstep/error.hpp"
#include "runtime/doorbell.hpp"
#include "transports/hello/group_key.hpp"
#include "transports/hello/machine.hpp"
#include "transports/hello/meeting.hpp"
#include "transports/link_maker.hpp"
#include "transports/state_channel.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

/// Who came, or answered, and with what.
struct Arrival {
  LinkId link = 0;
  Purpose purpose = Purpose::link;
  Standing standing;
  std::string introduction{};
  std::unique_ptr<Newcomer> newcomer{};   ///< Purpose::link, Purpose::mend
  LinkChoice choice{};                    ///< the same
  Descriptor life_line{};                 ///< Purpose::life_line
  std::unique_ptr<StateChannel> state{};  ///< Purpose::state
};

/// Meets others on a thread of its own while the group runs, so that no reactor waits for
/// handshakes, memory or queue pairs: what is ready is handed over (`take`).
///
/// The thread sleeps while nobody comes. It runs at ordinary priority on any CPU, and ends with
/// this object; what it takes is bounded by Meeting. The calls are the reactor thread's.
class Greeter {
 public:
  struct Options {
    MeetingOptions meeting;
    std::unique_ptr<GroupKey> key;                 ///< null: members are not authenticated
    Encryption encryption = Encryption::off_host;  ///< with a key
    int doorbell = -1;  ///< the reactor's; rung for each arrival; stays the caller's
  };
  /// `maker` belongs to a transport that outlives this; `place` may use options.key.
  Greeter(Options options, std::unique_ptr<MeetingPlace> place, std::unique_ptr<LinkMaker> maker,
          Examine examine);
  /// Ends the thread, and lets this member's place go.
  ~Greeter();
  Greeter(const Greeter&) = delete;
  Greeter& operator=(const Greeter&) = delete;

  /// Meets until the group can be founded or a running one was found, see Meeting::gather; true:
  /// this member is a founder and all are here. Then the thread starts. Errors: as Meeting::gather.
  Expected<bool> gather();

  /// Something for `take`, or the thread has failed: one load.
  [[nodiscard]] bool has_news() const noexcept { return news_.load(std::memory_order_acquire); }
  /// What has arrived since the last call.
  std::vector<Arrival> take();
  /// Why a joining member cannot meet the others; nothing while it may.
  [[nodiscard]] Expected<void> status();

  /// Whom of the group a joining member has not met, see Meeting::hindrance.
  [[nodiscard]] std::string hindrance();

  /// What others are told, who is let in, and which links are made anew, a bit each, from now on.
  void show(const Standing& standing, std::uint64_t broken);
  /// The link is no more.
  void forget(LinkId link);
  /// Dials a member for the state, to ask how it stands, or to make a broken link anew; what comes
  /// of it arrives, if anything does.
  void call(LinkId link, Purpose purpose);

  /// For people: of the place, and of who was refused until `gather` ended.
  [[nodiscard]] const std::vector<std::string>& notices() const noexcept { return notices_; }
  /// Connections of who was no member, so far.
  [[nodiscard]] std::uint64_t refused() const noexcept {
    return refused_.load(std::memory_order_relaxed);
  }

 private:
  struct Orders {
    bool shown = false;
    Standing standing;
    std::uint64_t broken = 0;
    std::uint64_t forgotten = 0;  ///< links, a bit each
    std::vector<std::pair<LinkId, Purpose>> calls;
  };

  void settle_keys(MetPeer& peer) const;
  static Expected<std::unique_ptr<StateChannel>> state_channel(MetPeer&& peer);
  Expected<void> keep(MetPeer&& peer);
  Expected<void> start();
  static void* run(void* self);
  void serve();
  void obey();
  void hand_over(Arrival arrival);
  void fail_for_good(const Error& error);

  const std::unique_ptr<GroupKey> key_;
  const Encryption encryption_;
  const Machine machine_;
  const int doorbell_;
  const std::unique_ptr<MeetingPlace> place_;
  const std::unique_ptr<LinkMaker> maker_;
  Meeting meeting_;  ///< the thread's, once it runs
  runtime::Doorbell bell_;
  std::atomic<bool> over_{false};
  std::atomic<bool> news_{false};
  std::atomic<std::uint64_t> refused_{0};
  std::mutex mutex_;  ///< of all that follows
  Orders orders_;
  std::vector<Arrival> arrivals_;
  Expected<void> status_;
  std::string hindrance_;
  pthread_t thread_{};
  std::vector<std::string> notices_;  ///< the reactor's, as the next
  bool started_ = false;
};

}  // namespace lockstep::transports
