#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "runtime/doorbell.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

/// This member's end of a connection that is there only to end.
struct LifeLine {
  LinkId link = 0;
  Descriptor socket;
};

/// Tells at once when the process of a peer was killed, however much memory it had, and has the
/// kernel tell the peers the same of this one.
///
/// The kernel gives up the memory of a killed thread before its table of descriptors (do_exit in
/// kernel/exit.c), and only the last thread frees the memory: 80 ms for a GiB of small pages, in
/// which the sockets of that thread's table stay open. So a thread is made that has a table of its
/// own (close_range(2), CLOSE_RANGE_UNSHARE) with one connection per peer in it. One of two tables
/// is not that of the last thread: either the lines end at once, or the sockets of all the others.
///
/// A line that ends without a good-bye means that its process died. One that fails says nothing:
/// the medium will tell.
///
/// The thread sleeps until a line ends. It runs on any CPU at ordinary priority, takes no signal,
/// allocates nothing, and ends with this object.
class LifeLines {
 public:
  /// Takes the lines over. Where the thread cannot be made, `notice` says why, peers learn of this
  /// member's death as without it, and this one learns nothing of theirs here. Errors: system (out
  /// of descriptors).
  static Expected<std::unique_ptr<LifeLines>> hold(std::vector<LifeLine> lines);
  /// Says good-bye on every line, and ends the thread.
  ~LifeLines();
  LifeLines(const LifeLines&) = delete;
  LifeLines& operator=(const LifeLines&) = delete;

  /// The links whose peers died since the last call, a bit for each. One load where there is none.
  /// The reactor's thread only.
  std::uint64_t take_ended() noexcept {
    return news_.load(std::memory_order_acquire) ? take_news() : 0;
  }
  /// Readable when take_ended is worth a call.
  [[nodiscard]] int descriptor() const noexcept { return bell_.descriptor(); }
  /// For people; empty: all is well.
  [[nodiscard]] const std::string& notice() const noexcept { return notice_; }

 private:
  enum class Stage : std::uint8_t { starting, holding, refused };

  explicit LifeLines(std::vector<LifeLine> lines);
  /// Starts the thread and waits until it has its table. Returns an errno.
  int start();
  static void* run(void* self);
  int take_table() const noexcept;
  void watch() noexcept;
  void hear(std::size_t number) noexcept;
  void say_good_bye() const noexcept;
  std::uint64_t take_news() noexcept;

  std::vector<LifeLine> lines_;  ///< closed here when the thread has them
  std::vector<int> sockets_;     ///< their numbers, which are the thread's; -1: ended
  std::vector<int> kept_;        ///< all that the thread's table holds, ascending
  runtime::Doorbell bell_;       ///< towards the reactor
  runtime::Doorbell stop_;       ///< towards the thread
  std::atomic<std::uint64_t> ended_{0};
  std::atomic<bool> news_{false};
  std::atomic<Stage> stage_{Stage::starting};
  int refusal_ = 0;  ///< an errno; the thread's until it has left Stage::starting
  pthread_t thread_{};
  bool held_ = false;
  std::string notice_;
};

}  // namespace lockstep::transports
