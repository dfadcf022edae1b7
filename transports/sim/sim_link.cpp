#include "transports/sim/sim_link.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/assert.hpp"

namespace lockstep::transports {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);

}  // namespace

SimLink::SimLink(const SimOptions& options, Random random)
    : options_(options),
      random_(random),
      delay_low_ns_(random_.between(options.delay_min_ns, options.delay_max_ns)),
      delay_high_ns_(random_.between(delay_low_ns_, options.delay_max_ns)),
      // Completion may run ahead of visibility; what is on the wire is bounded by this factor.
      writes_(std::size_t{4} * options.queue_writes) {
  for (auto& copy : region_) copy.resize(options.region_bytes / sizeof(CacheLine));
}

Post SimLink::post(std::uint64_t now_ns, std::uint32_t copy, std::uint64_t offset,
                   std::span<const std::byte> bytes, std::uint64_t mark) {
  LOCKSTEP_ASSERT(mark >= last_mark_);
  const bool queue_full = posted_ - complete_ >= options_.queue_writes;
  const bool wire_full = posted_ - std::min(visible_, complete_) >= writes_.size();
  if (queue_full || wire_full) {
    depart(now_ns);  // waiting for the next poll must be enough for progress
    return Post::would_block;
  }
  Write& write = at(posted_++);
  write.copy = copy;
  write.offset = offset;
  write.bytes = bytes.size();
  write.mark = mark;
  write.rings = false;
  if (bytes.size() <= kInlineBytes) {
    write.source = nullptr;
    write.content.assign(bytes.begin(), bytes.end());
  } else {
    write.source = bytes.data();
  }
  last_mark_ = mark;
  if (random_.chance(options_.early_departure_permille)) depart(now_ns);
  return Post::posted;
}

void SimLink::depart(std::uint64_t now_ns) {
  while (departed_ < posted_) schedule(at(departed_++), now_ns);
}

void SimLink::schedule(Write& write, std::uint64_t now_ns) {
  if (random_.chance(options_.clog_permille) && !calm_) {
    clogged_until_ns_ = now_ns + random_.below(options_.clog_max_ns + 1);
  }
  const std::uint64_t delay_ns = random_.between(delay_low_ns_, delay_high_ns_);
  std::uint64_t read_ns = now_ns + random_.below(delay_ns + 1);
  // A clogged link holds the bytes back at either end.
  if (random_.chance(500)) read_ns = std::max(read_ns, clogged_until_ns_);
  write.read_ns = last_read_ns_ = std::max(read_ns, last_read_ns_);
  const bool slow = random_.chance(options_.slow_completion_permille) && !calm_;
  const std::uint64_t completion_max_ns = slow ? options_.clog_max_ns : 2 * delay_high_ns_;
  write.complete_ns = last_complete_ns_ =
      std::max(write.read_ns + random_.below(completion_max_ns + 1), last_complete_ns_);

  cut(write);
  std::uint64_t visible_ns = std::max(
      {write.read_ns, now_ns + delay_ns, last_visible_ns_, clogged_until_ns_, stopped_until_ns_});
  for (std::size_t i = 0; i < write.segment_count; ++i) {
    if (i > 0) visible_ns += random_.below(options_.tear_gap_ns + 1);
    write.segments[i].visible_ns = visible_ns;
  }
  last_visible_ns_ = visible_ns;
}

// Splits a write at word boundaries, mostly next to its first and last word, where the markers of
// frames are.
void SimLink::cut(Write& write) {
  const std::uint64_t words = write.bytes / kWord;
  write.segment_count = 1;
  write.segments[0] = {.first_word = 0, .words = words};
  if (words < 2 || !random_.chance(options_.tear_permille)) return;

  std::array<std::uint64_t, kMaxSegments - 1> cuts{};
  cuts.fill(words);  // means: no cut
  if (options_.write_order == WriteOrder::first_word_last || random_.chance(500)) cuts[0] = 1;
  if (random_.chance(500)) cuts[1] = words - 1;
  const std::uint64_t used = 2 + random_.below(cuts.size() - 1);
  for (std::size_t i = 2; i < used; ++i) cuts[i] = random_.between(1, words - 1);
  std::ranges::sort(cuts);

  std::uint64_t from = 0;
  write.segment_count = 0;
  const auto segment_until = [&](std::uint64_t to) {
    if (to == from) return;
    write.segments[write.segment_count++] = {.first_word = from, .words = to - from};
    from = to;
  };
  for (const std::uint64_t cut : cuts) segment_until(cut);
  segment_until(words);
  order(write);
}

void SimLink::order(Write& write) {
  const std::span segments(write.segments.data(), write.segment_count);
  switch (options_.write_order) {
    case WriteOrder::ascending:
      return;
    case WriteOrder::first_word_last:
      // All but the first word in any order, then the first.
      std::rotate(segments.begin(), segments.begin() + 1, segments.end());
      for (std::size_t i = segments.size() - 1; i > 1; --i) {
        std::swap(segments[i - 1], segments[random_.below(i)]);
      }
      return;
    case WriteOrder::unordered:
      for (std::size_t i = segments.size(); i > 1; --i) {
        std::swap(segments[i - 1], segments[random_.below(i)]);
      }
      return;
  }
}

bool SimLink::ring() {
  const bool visible_already = rung_ < visible_;
  for (std::uint64_t i = std::max(rung_, visible_); i < posted_; ++i) at(i).rings = true;
  rung_ = posted_;
  return visible_already;
}

std::uint64_t SimLink::next_ns() const {
  std::uint64_t next = kNever;
  if (read_ < departed_) next = std::min(next, at(read_).read_ns);
  if (visible_ < read_) next = std::min(next, at(visible_).segments[next_segment_].visible_ns);
  if (complete_ < read_) next = std::min(next, at(complete_).complete_ns);
  return next;
}

SimLink::Progress SimLink::advance() {
  const std::uint64_t due_ns = next_ns();
  LOCKSTEP_ASSERT(due_ns != kNever);
  Progress progress;
  const auto about = [&progress](const Write& write, Progress::Kind kind) {
    progress.kind = kind;
    progress.copy = write.copy;
    progress.offset = write.offset;
    progress.bytes = write.bytes;
  };
  if (read_ < departed_ && at(read_).read_ns == due_ns) {
    Write& write = at(read_++);
    read(write);
    about(write, Progress::Kind::read);
  } else if (visible_ < read_ && at(visible_).segments[next_segment_].visible_ns == due_ns) {
    const Write& write = at(visible_);
    apply(write, write.segments[next_segment_]);
    if (++next_segment_ < write.segment_count) {
      about(write, Progress::Kind::torn);
    } else {
      about(write, Progress::Kind::visible);
      progress.rings = write.rings;
      next_segment_ = 0;
      ++visible_;
    }
  } else {
    const Write& write = at(complete_++);
    completed_mark_ = write.mark;
    about(write, Progress::Kind::complete);
    progress.source_changed = source_changed(write);
  }
  return progress;
}

bool SimLink::hasten() {
  bool any = false;
  std::uint64_t budget = departed_ > visible_ ? random_.between(1, departed_ - visible_) : 0;
  for (; budget > 0; --budget) {
    if (visible_ == read_) read(at(read_++));
    const Write& write = at(visible_);
    for (; next_segment_ < write.segment_count; ++next_segment_) {
      apply(write, write.segments[next_segment_]);
    }
    next_segment_ = 0;
    ++visible_;
    any = true;
  }
  return any;
}

void SimLink::read(Write& write) {
  if (write.source == nullptr) return;
  write.content.assign(write.source, write.source + write.bytes);
}

bool SimLink::source_changed(const Write& write) {
  return write.source != nullptr &&
         std::memcmp(write.source, write.content.data(), write.bytes) != 0;
}

void SimLink::apply(const Write& write, const Segment& segment) {
  auto& lines = region_[write.copy];
  if (lines.empty() || segment.words == 0) return;
  const std::span bytes = std::as_writable_bytes(std::span(lines));
  std::memcpy(bytes.data() + write.offset + segment.first_word * kWord,
              write.content.data() + segment.first_word * kWord, segment.words * kWord);
}

std::uint64_t SimLink::completed() const {
  if (complete_ == posted_) return last_mark_;
  // A mark given to several posts is complete with the last of them.
  const std::uint64_t pending = at(complete_).mark;
  return pending == 0 ? 0 : std::min(completed_mark_, pending - 1);
}

void SimLink::forget() {
  departed_ = read_ = visible_ = complete_ = rung_ = posted_;
  next_segment_ = 0;
}

void SimLink::read_all(std::uint64_t now_ns) {
  depart(now_ns);
  while (read_ < departed_) read(at(read_++));
}

void SimLink::lose_unread() {
  posted_ = departed_ = read_;
  rung_ = std::min(rung_, posted_);
}

std::span<std::byte> SimLink::region(std::uint32_t copy) {
  LOCKSTEP_ASSERT(copy < kRegionCopies);
  auto& lines = region_[copy];
  return std::as_writable_bytes(std::span(lines));
}

void SimLink::release_region() {
  for (auto& copy : region_) std::vector<CacheLine>().swap(copy);
}

void SimLink::renew_region() {
  for (auto& copy : region_) copy.assign(options_.region_bytes / sizeof(CacheLine), {});
}

void SimLink::renew_sender() {
  forget();
  last_mark_ = completed_mark_ = 0;
}

}  // namespace lockstep::transports
