#include <array>
#include <utility>

#include "membership/views.hpp"
#include "membership/views_epoch.hpp"
#include "runtime/assert.hpp"

/// The links of views: how they are lost, made anew, let go, and come with joiners; views.cpp has
/// the rest.
namespace lockstep::membership::inline LOCKSTEP_VARIANT {
namespace {

constexpr std::uint64_t bit(std::uint32_t number) { return std::uint64_t{1} << number; }

}  // namespace

bool Views::poll_links() noexcept {
  std::array<transports::LinkDown, 8> events;
  const std::size_t count = transport_.poll(events);
  for (std::size_t i = 0; i < count; ++i) lose(events[i]);
  std::uint32_t offender = 0;
  if (current_->order.take_offender(offender)) [[unlikely]] {
    lose({.link = current_->order.layout().link_of(offender),
          .reason = transports::DownReason::protocol_error});
  }
  return count > 0;
}

template <class Function>
void Views::each_rank_of(transports::LinkId link, Function&& function) {
  for (Epoch* epoch : {current_.get(), previous_.get()}) {
    if (epoch == nullptr) continue;
    const ordering::ViewLayout& layout = epoch->order.layout();
    for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
      if (rank != layout.my_rank && layout.link_of(rank) == link) function(*epoch, rank);
    }
  }
}

void Views::lose(const transports::LinkDown& down) noexcept {
  links_down_ |= bit(down.link);
  admissions_.withdraw(down.link);
  due_ns_ = 0;
  each_rank_of(down.link, [](Epoch& epoch, std::uint32_t rank) {
    epoch.order.lose(rank);
    epoch.table.lose(rank);
  });
  events_.link_down(down.link, down.reason);
}

Expected<void> Views::mend(std::unique_ptr<transports::Newcomer> newcomer) {
  const transports::LinkId link = newcomer->link();
  LOCKSTEP_ASSERT((broken_links() & bit(link)) != 0);
  each_rank_of(link, [](Epoch& epoch, std::uint32_t rank) { epoch.order.keep_frames(rank); });
  transport_.drop(link);
  auto adopted = transport_.adopt(std::move(newcomer));
  each_rank_of(link, [&](Epoch& epoch, std::uint32_t rank) {
    epoch.order.unlink(rank);
    epoch.table.unlink(rank);
    if (!adopted) return;
    epoch.order.relink(rank);
    epoch.table.relink(rank);
  });
  due_ns_ = 0;
  if (!adopted) return adopted;
  links_down_ &= ~bit(link);
  current_->table.show_mended();
  return {};
}

// ---- of who is out ------------------------------------------------------------------------------

void Views::let_go_of_evicted(const Proposal& value) noexcept {
  // The own ring of the next view lies where that of the view before this one lay.
  const ordering::ViewLayout& layout = current_->order.layout();
  for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
    if (rank == layout.my_rank || (value.kept & bit(rank)) != 0) continue;
    const transports::LinkId link = layout.link_of(rank);
    if (transport_.completed(link) < layout.first_mark) transport_.drop(link);
  }
}

/// Whom the others went on without cannot read how: their links are down.
bool Views::nobody_to_tell() const noexcept {
  const ordering::ViewLayout& old = previous_->order.layout();
  for (std::uint32_t rank = 0; rank < old.members; ++rank) {
    const bool down = (links_down_ & bit(old.link_of(rank))) != 0;
    if (rank != old.my_rank && !previous_->agreement.kept(rank) && !down) return false;
  }
  return true;
}

void Views::drop_evicted() noexcept {
  const ordering::ViewLayout& old = previous_->order.layout();
  for (std::uint32_t rank = 0; rank < old.members; ++rank) {
    if (rank != old.my_rank && !previous_->agreement.kept(rank)) {
      transport_.drop(old.link_of(rank));
    }
  }
  previous_.reset();
}

// A joiner whose link to this member went down, or was made by another incarnation: the others may
// not have noticed when they named it. It is as if it died right after. (model/joins.pml,
// admit_named.)
void Views::lose_who_is_not_there(const Proposal& value) noexcept {
  if (value.joiner.named == 0) return;
  const auto link = static_cast<transports::LinkId>(value.joiner.link);
  const bool known = (admissions_.links() & bit(link)) != 0;
  if (!known || admissions_.nonce(link) != value.joiner.nonce) links_down_ |= bit(link);
  admissions_.withdraw(link);
}

// ---- joining -----------------------------------------------------------------------------------

bool Views::admit(transports::LinkId link, std::uint64_t nonce, bool sends) noexcept {
  if (!is_free(link)) return false;
  links_down_ &= ~bit(link);
  admissions_.admit(link, nonce, sends);
  due_ns_ = 0;
  return true;
}

std::uint64_t Views::links_in_use() const noexcept {
  std::uint64_t links = 0;
  for (const Epoch* epoch : {current_.get(), previous_.get()}) {
    if (epoch == nullptr) continue;
    const ordering::ViewLayout& layout = epoch->order.layout();
    for (std::uint32_t rank = 0; rank < layout.members; ++rank) links |= bit(layout.link_of(rank));
  }
  return links;
}

void Views::show_state() noexcept {
  has_state_ = true;
  current_->table.show_state();
  due_ns_ = 0;
}

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
