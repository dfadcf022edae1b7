#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "lockstep/config.hpp"
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
  /// Without lines. Where the thread cannot be made, `notice` says why, peers learn of this
  /// member's death as without it, and this one learns nothing of theirs here. Errors: system (out
  /// of descriptors).
  static Expected<std::unique_ptr<LifeLines>> hold();
  /// Says good-bye on every line, and ends the thread.
  ~LifeLines();
  LifeLines(const LifeLines&) = delete;
  LifeLines& operator=(const LifeLines&) = delete;

  /// Takes the line over, in place of the one before on the same link. The reactor's thread only,
  /// as all below.
  void add(LifeLine line) noexcept;
  /// Says good-bye on the line of `link`, if there is one, and closes it: nothing is told of it any
  /// more.
  void drop(LinkId link) noexcept;

  /// The links whose peers died since the last call, a bit for each. One load where there
  /// is none.
  std::uint64_t take_ended() noexcept {
    return news_.load(std::memory_order_acquire) ? take_news() : 0;
  }
  /// Readable when take_ended is worth a call.
  [[nodiscard]] int descriptor() const noexcept { return bell_.descriptor(); }
  /// For people; empty: all is well.
  [[nodiscard]] const std::string& notice() const noexcept { return notice_; }

 private:
  enum class Stage : std::uint8_t { starting, holding, refused };
  /// What the reactor tells the thread, with a descriptor or none: descriptors of the one are not
  /// those of the other.
  struct Order {
    LinkId link = 0;
    std::uint32_t generation = 0;
  };

  LifeLines() = default;
  Expected<void> make_orders();
  /// Starts the thread and waits until it has its table. Returns an errno.
  int start();
  static void* run(void* self);
  int take_table() noexcept;
  void watch() noexcept;
  /// False when there is none.
  bool take_order() noexcept;
  void hear(LinkId link) noexcept;
  void close_line(LinkId link) noexcept;
  void say_good_bye() noexcept;
  bool send_order(LinkId link, int socket) noexcept;
  std::uint64_t take_news() noexcept;

  /// The thread's own, by link: the number of the socket in its table (-1: none), and which of the
  /// link's lines that is.
  struct Line {
    int socket = -1;
    std::uint32_t generation = 0;
  };
  std::array<Line, kMaxMembers> lines_{};

  /// The reactor's, by link: which line it is that counts; 0: none. Every line has its own number.
  std::array<std::uint32_t, kMaxMembers> current_{};
  std::uint32_t generations_ = 0;
  std::array<Descriptor, kMaxMembers> kept_;  ///< where there is no thread to hold them

  runtime::Doorbell bell_;                                       ///< towards the reactor
  runtime::Doorbell stop_;                                       ///< towards the thread
  Descriptor orders_out_;                                        ///< the reactor's end
  Descriptor orders_in_;                                         ///< the thread's
  std::array<std::atomic<std::uint32_t>, kMaxMembers> ended_{};  ///< by link: which line
  std::atomic<std::uint64_t> ended_links_{0};
  std::atomic<bool> news_{false};
  std::atomic<Stage> stage_{Stage::starting};
  int refusal_ = 0;  ///< an errno; the thread's until it has left Stage::starting
  pthread_t thread_{};
  bool held_ = false;
  std::string notice_;
};

}  // namespace lockstep::transports
