#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace lockstep::runtime {

/// The counters file, byte for byte (docs/counters.md). Native byte order: it never leaves the
/// host.

/// The bytes "LSCOUNT\n" as a word.
inline constexpr auto kCountersMagic =
    std::bit_cast<std::uint64_t>(std::array{'L', 'S', 'C', 'O', 'U', 'N', 'T', '\n'});
inline constexpr std::uint32_t kCountersVersion = 1;
inline constexpr std::uint32_t kCountersCapacity = 1'024;
inline constexpr std::size_t kCounterNameBytes = 64;

/// Written while the file is made; afterwards only `count` moves, and only up.
struct CountersHeader {
  /// Stored last, with release: the rest is in place.
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t capacity;
  std::uint64_t pid;
  /// Wall clock (ns since 1970) when the writer opened the file.
  std::uint64_t start_ns;
  std::uint64_t names_offset;
  std::uint64_t values_offset;
  /// How many names are complete. Stored with release after the name, loaded with acquire.
  std::uint64_t count;
  std::uint64_t reserved;
};

using CounterName = std::array<char, kCounterNameBytes>;

/// Names and values are apart, each from a page of its own: the lines that the reactor writes
/// hold nothing but values.
struct CountersLayout {
  CountersHeader header;
  std::array<std::byte, 4'096 - sizeof(CountersHeader)> header_padding;
  /// Zero-terminated.
  std::array<CounterName, kCountersCapacity> names;
  std::array<std::uint64_t, kCountersCapacity> values;
};

static_assert(sizeof(CountersHeader) == 64);
static_assert(offsetof(CountersHeader, version) == 8);
static_assert(offsetof(CountersHeader, capacity) == 12);
static_assert(offsetof(CountersHeader, pid) == 16);
static_assert(offsetof(CountersHeader, start_ns) == 24);
static_assert(offsetof(CountersHeader, names_offset) == 32);
static_assert(offsetof(CountersHeader, values_offset) == 40);
static_assert(offsetof(CountersHeader, count) == 48);
static_assert(offsetof(CountersLayout, names) == 4'096);
static_assert(offsetof(CountersLayout, values) == 69'632);
static_assert(sizeof(CountersLayout) == 77'824);
static_assert(std::is_trivially_copyable_v<CountersLayout>);
static_assert(std::is_standard_layout_v<CountersLayout>);

}  // namespace lockstep::runtime
