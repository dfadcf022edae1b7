#pragma once

#include <pthread.h>

#include <cstdint>

#include "lockstep/error.hpp"
#include "runtime/memory.hpp"

namespace lockstep::transports {

/// What a member shows its peers on this host, besides regions: that it lives, and whether it
/// sleeps. Written by its reactor thread, mapped by every peer.
struct ControlPage {
  /// Robust and process-shared; the reactor thread holds it for life. When that thread ends, for
  /// whatever reason, the kernel marks the word before it frees any memory
  /// (get_robust_list(2), futex(2) FUTEX_OWNER_DIED), so peers see it without a system call.
  alignas(64) pthread_mutex_t life;
  /// Not zero while the reactor thread sleeps or is about to.
  alignas(64) std::uint64_t sleeping;
  /// Not zero if it never sleeps: peers then need not even look.
  std::uint64_t never_sleeps;
};
static_assert(sizeof(ControlPage) <= 4096);
static_assert(offsetof(ControlPage, sleeping) % 64 == 0);

enum class Life : std::uint8_t { alive, left, died };

/// This member's page. The thread that creates it must be the one that runs the reactor.
class OwnControlPage {
 public:
  static Expected<OwnControlPage> create();
  OwnControlPage() = default;
  /// Releases the mutex: peers read that as leaving in good order.
  ~OwnControlPage();
  OwnControlPage(OwnControlPage&&) noexcept = default;
  OwnControlPage& operator=(OwnControlPage&& other) noexcept;

  void set_sleeping(bool sleeping) noexcept;
  void set_never_sleeps(bool never) noexcept;
  [[nodiscard]] int descriptor() const noexcept { return block_.descriptor(); }

 private:
  [[nodiscard]] ControlPage& page() const noexcept;
  runtime::SharedBlock block_;
};

/// A peer's page.
class PeerControlPage {
 public:
  PeerControlPage() = default;
  /// Takes the descriptor over.
  static Expected<PeerControlPage> attach(int descriptor);

  [[nodiscard]] Life life() const noexcept;
  [[nodiscard]] bool sleeps() const noexcept;
  [[nodiscard]] bool never_sleeps() const noexcept;

 private:
  [[nodiscard]] ControlPage& page() const noexcept;
  runtime::SharedBlock block_;
};

}  // namespace lockstep::transports
