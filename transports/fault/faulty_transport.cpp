#include "transports/fault/faulty_transport.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/assert.hpp"

namespace lockstep::transports {

Expected<std::unique_ptr<FaultyTransport>> FaultyTransport::wrap(Transport& inner,
                                                                 std::uint32_t members,
                                                                 const FaultPlan& plan) {
  const int descriptor = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) {
    return fail(ErrorCode::system,
                fmt::format("cannot make the eventfd of a fault decorator: {}; raise the limit on "
                            "open files (ulimit -n)",
                            std::strerror(errno)));
  }
  return std::unique_ptr<FaultyTransport>(new FaultyTransport(inner, members, plan, descriptor));
}

FaultyTransport::FaultyTransport(Transport& inner, std::uint32_t members, const FaultPlan& plan,
                                 int descriptor)
    : inner_(inner),
      plan_(plan),
      random_(plan.seed),
      links_(members),
      descriptor_(descriptor),
      descriptors_(inner.descriptors().begin(), inner.descriptors().end()) {
  descriptors_.push_back(descriptor_);
}

FaultyTransport::~FaultyTransport() { ::close(descriptor_); }

Post FaultyTransport::write(LinkId link, std::uint32_t copy, std::uint64_t offset,
                            std::span<const std::byte> bytes, std::uint64_t mark) noexcept {
  LOCKSTEP_ASSERT(link < links_.size());
  Link& state = links_[link];
  LOCKSTEP_ASSERT(mark >= state.last_mark);
  if (state.state == State::down) return Post::down;
  if (state.state == State::closing) return Post::would_block;
  if (state.blocked_posts == 0 && random_.chance(plan_.would_block_permille)) {
    state.blocked_posts = random_.between(1, plan_.would_block_burst);
  }
  if (state.blocked_posts > 0) {
    --state.blocked_posts;
    return Post::would_block;
  }
  reap(link);

  Post post = Post::posted;
  if (!state.held.empty() || random_.chance(plan_.hold_permille)) {
    post = hold(state, copy, offset, bytes, mark);
  } else {
    post = inner_.write(link, copy, offset, bytes, state.next_number);
    if (post == Post::posted) {
      state.handed.push_back({.number = state.next_number++, .mark = mark});
    }
  }
  if (post == Post::posted) count_post(link, mark);
  return post;
}

Post FaultyTransport::hold(Link& state, std::uint32_t copy, std::uint64_t offset,
                           std::span<const std::byte> bytes, std::uint64_t mark) {
  if (state.held.size() >= plan_.hold_writes) return Post::would_block;
  if (state.held.empty()) state.release_poll = polls_ + random_.between(1, plan_.hold_polls);
  HeldPost& held = state.held.emplace_back();
  held.copy = copy;
  held.offset = offset;
  held.mark = mark;
  if (bytes.size() <= kInlineBytes) {
    held.copied_bytes = bytes.size();
    std::ranges::copy(bytes, held.copied.begin());
  } else {
    held.source = bytes;
  }
  return Post::posted;
}

void FaultyTransport::count_post(LinkId link, std::uint64_t mark) {
  Link& state = links_[link];
  state.last_mark = mark;
  ++state.posts;
  if (link == plan_.down_link && state.posts == plan_.down_after_posts) {
    state.held.clear();
    state.state = State::closing;
  }
}

void FaultyTransport::flush(LinkId link) noexcept { inner_.flush(link); }

std::uint64_t FaultyTransport::completed(LinkId link) const noexcept {
  const Link& state = links_[link];
  if (state.state == State::down) return state.last_mark;
  const std::uint64_t number = inner_.completed(link);
  std::uint64_t mark = state.completed_mark;
  auto post = state.handed.begin();
  for (; post != state.handed.end() && post->number <= number; ++post) mark = post->mark;
  // A mark given to several posts is complete with the last of them.
  const bool all_handed_complete = post == state.handed.end();
  if (all_handed_complete && state.held.empty()) return mark;
  const std::uint64_t pending = all_handed_complete ? state.held.front().mark : post->mark;
  return pending == 0 ? 0 : std::min(mark, pending - 1);
}

void FaultyTransport::reap(LinkId link) {
  Link& state = links_[link];
  const std::uint64_t number = inner_.completed(link);
  while (!state.handed.empty() && state.handed.front().number <= number) {
    state.completed_mark = state.handed.front().mark;
    state.handed.pop_front();
  }
}

void FaultyTransport::release(LinkId link) {
  Link& state = links_[link];
  bool rings = false;
  bool any = false;
  while (!state.held.empty()) {
    const HeldPost& post = state.held.front();
    const Post outcome =
        inner_.write(link, post.copy, post.offset, post.bytes(), state.next_number);
    if (outcome == Post::would_block) break;
    if (outcome == Post::down) {
      state.held.clear();
      break;
    }
    any = true;
    rings = rings || post.rings;
    state.handed.push_back({.number = state.next_number++, .mark = post.mark});
    state.held.pop_front();
  }
  if (any) inner_.flush(link);
  // The doorbell that was asked for went out before these writes did.
  if (rings) inner_.ring_doorbells();
}

std::size_t FaultyTransport::poll(std::span<LinkDown> events) noexcept {
  ++polls_;
  std::size_t stored = 0;
  for (LinkId link = 0; link < links_.size(); ++link) {
    Link& state = links_[link];
    if (state.posts == 0 || state.state == State::down) continue;
    if (!state.held.empty() && polls_ >= state.release_poll) release(link);
    reap(link);
    if (state.state == State::closing && state.handed.empty() && stored < events.size()) {
      close(link);
      events[stored++] = {.link = link, .reason = plan_.down_reason};
    }
  }
  const std::size_t fetched = inner_.poll(events.subspan(stored));
  for (const LinkDown& event : events.subspan(stored, fetched)) {
    if (links_[event.link].state == State::down) continue;
    close(event.link);
    events[stored++] = event;
  }
  return stored;
}

void FaultyTransport::close(LinkId link) {
  Link& state = links_[link];
  state.state = State::down;
  state.held.clear();
  state.handed.clear();
}

void FaultyTransport::drop(LinkId link) noexcept {
  inner_.drop(link);
  close(link);
}

Expected<void> FaultyTransport::adopt(std::unique_ptr<Newcomer> newcomer) {
  const LinkId link = newcomer->link();
  auto adopted = inner_.adopt(std::move(newcomer));
  if (adopted) links_[link] = {};
  return adopted;
}

void FaultyTransport::announce_sleep() noexcept {
  for (LinkId link = 0; link < links_.size(); ++link) release(link);
  if (holds_posts() && !signalled_) {
    signalled_ = ::eventfd_write(descriptor_, 1) == 0;
  }
  inner_.announce_sleep();
}

void FaultyTransport::announce_awake() noexcept {
  inner_.announce_awake();
  if (!signalled_) return;
  eventfd_t ignored = 0;
  signalled_ = ::eventfd_read(descriptor_, &ignored) != 0;
}

void FaultyTransport::ring_doorbells() noexcept {
  inner_.ring_doorbells();
  for (Link& state : links_) {
    for (HeldPost& post : state.held) post.rings = true;
  }
}

bool FaultyTransport::holds_posts() const noexcept {
  return std::ranges::any_of(links_, [](const Link& state) {
    return !state.held.empty() || state.state == State::closing;
  });
}

}  // namespace lockstep::transports
