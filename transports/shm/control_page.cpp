#include "transports/shm/control_page.hpp"

#include <fmt/format.h>
#include <linux/futex.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "runtime/word.hpp"

namespace lockstep::transports {

Expected<OwnControlPage> OwnControlPage::create() {
  // Never a huge page: 4 KiB are enough, and huge pages are few.
  auto block = runtime::SharedBlock::create(
      sizeof(ControlPage),
      {.huge_pages = HugePages::never, .lock = false, .purpose = "the control page"});
  if (!block) return std::unexpected(block.error());
  OwnControlPage own;
  own.block_ = std::move(*block);
  auto* page = new (own.block_.data()) ControlPage{};
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  int error = pthread_mutex_init(&page->life, &attributes);
  if (error == 0) error = pthread_mutex_lock(&page->life);
  pthread_mutexattr_destroy(&attributes);
  if (error != 0) {
    return fail(ErrorCode::system,
                fmt::format("cannot make a robust process-shared mutex: {}", std::strerror(error)));
  }
  return own;
}

OwnControlPage::~OwnControlPage() {
  if (block_) pthread_mutex_unlock(&page().life);
}

OwnControlPage& OwnControlPage::operator=(OwnControlPage&& other) noexcept {
  std::swap(block_, other.block_);
  return *this;
}

ControlPage& OwnControlPage::page() const noexcept {
  return *std::launder(reinterpret_cast<ControlPage*>(block_.data()));
}

void OwnControlPage::set_sleeping(bool sleeping) noexcept {
  std::atomic_ref(page().sleeping).store(sleeping ? 1 : 0, std::memory_order_relaxed);
}

void OwnControlPage::set_never_sleeps(bool never) noexcept {
  runtime::store_release(page().never_sleeps, never ? 1 : 0);
}

Expected<PeerControlPage> PeerControlPage::attach(int descriptor) {
  auto block = runtime::SharedBlock::attach(descriptor, sizeof(ControlPage), "a control page");
  if (!block) return std::unexpected(block.error());
  PeerControlPage peer;
  peer.block_ = std::move(*block);
  return peer;
}

ControlPage& PeerControlPage::page() const noexcept {
  return *std::launder(reinterpret_cast<ControlPage*>(block_.data()));
}

Life PeerControlPage::life() const noexcept {
  // The lock word of a pthread mutex is its first int: the owner's thread id, and what the kernel
  // adds when the owner dies. Held for life, so zero means released.
  static_assert(offsetof(pthread_mutex_t, __data.__lock) == 0);
  const int word = std::atomic_ref(page().life.__data.__lock).load(std::memory_order_acquire);
  if ((static_cast<unsigned>(word) & FUTEX_OWNER_DIED) != 0) return Life::died;
  return word == 0 ? Life::left : Life::alive;
}

bool PeerControlPage::sleeps() const noexcept {
  return std::atomic_ref(page().sleeping).load(std::memory_order_relaxed) != 0;
}

bool PeerControlPage::never_sleeps() const noexcept {
  return runtime::load_acquire(page().never_sleeps) != 0;
}

}  // namespace lockstep::transports
