#include "runtime/counters.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/counters_layout.hpp"

namespace lockstep::runtime {
namespace {

constexpr std::size_t kFileBytes = sizeof(CountersLayout);
/// A writer that ends removes its file, which may happen between our open and our lock; so many
/// times in a row only if somebody does it on purpose.
constexpr int kOpenAttempts = 16;

std::uint64_t wall_now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Error failure(const std::string& path, const char* what, int error) {
  return {ErrorCode::system,
          fmt::format("counters file {}: {}: {}", path, what, std::strerror(error))};
}

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) noexcept : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  [[nodiscard]] int get() const noexcept { return number_; }

 private:
  int number_;
};

/// The header as the file has it, all zero where it has none.
CountersHeader read_header(int descriptor) {
  CountersHeader header{};
  if (::pread(descriptor, &header, sizeof header, 0) != sizeof header) return {};
  return header;
}

bool names_this_file(const std::string& path, int descriptor) {
  struct stat by_path{};
  struct stat by_descriptor{};
  return ::stat(path.c_str(), &by_path) == 0 && ::fstat(descriptor, &by_descriptor) == 0 &&
         by_path.st_dev == by_descriptor.st_dev && by_path.st_ino == by_descriptor.st_ino;
}

/// Opens or creates `path` and locks it. When this returns, no other writer has it.
Expected<Descriptor> open_locked(const std::string& path) {
  for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644));
    if (file.get() < 0) return std::unexpected(failure(path, "cannot open it", errno));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return std::unexpected(failure(path, "cannot lock it", errno));
      return fail(ErrorCode::identity_in_use,
                  fmt::format("counters file {} belongs to process {}, which is alive; give each "
                              "reactor its own reactor.counters_file",
                              path, read_header(file.get()).pid));
    }
    if (names_this_file(path, file.get())) return file;
  }
  return fail(ErrorCode::system,
              fmt::format("counters file {}: it keeps being replaced by other files", path));
}

/// What may be taken over: an empty file, or counters whose writer is gone (its lock is). Returns
/// the notice.
Expected<std::string> take_over(const std::string& path, int descriptor) {
  struct stat file{};
  if (::fstat(descriptor, &file) != 0) return std::unexpected(failure(path, "fstat", errno));
  if (!S_ISREG(file.st_mode)) {
    return fail(ErrorCode::configuration,
                fmt::format("counters file {}: not a regular file; set reactor.counters_file to a "
                            "path of its own",
                            path));
  }
  if (file.st_size == 0) return std::string();
  const CountersHeader header = read_header(descriptor);
  if (header.magic != kCountersMagic) {
    return fail(ErrorCode::configuration,
                fmt::format("counters file {} exists and holds something else; set "
                            "reactor.counters_file to a path of its own",
                            path));
  }
  return fmt::format("counters file {} was left by process {}, which is gone: taken over", path,
                     header.pid);
}

/// Every byte the mapping covers gets a block on disk now: a store into a hole of a full disk
/// would be a SIGBUS later.
Expected<void> allocate(const std::string& path, int descriptor) {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  if (limit.rlim_cur < kFileBytes) {
    return fail(
        ErrorCode::system,
        fmt::format("counters file {}: {} bytes are needed and RLIMIT_FSIZE is {}; raise it "
                    "(ulimit -f), or leave reactor.counters_file empty",
                    path, kFileBytes, limit.rlim_cur));
  }
  const int error = ::posix_fallocate(descriptor, 0, static_cast<off_t>(kFileBytes));
  if (error == 0) return {};
  return fail(ErrorCode::system,
              fmt::format("counters file {}: {} bytes are needed: {}; free some space, or leave "
                          "reactor.counters_file empty",
                          path, kFileBytes, std::strerror(error)));
}

/// Maps the file, or memory of this process where `descriptor` is negative.
CountersLayout* map(int descriptor, int protection) {
  const int flags = descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* address = ::mmap(nullptr, kFileBytes, protection, flags | MAP_POPULATE, descriptor, 0);
  return address == MAP_FAILED ? nullptr : static_cast<CountersLayout*>(address);
}

/// Makes the file ours. A reader that comes meanwhile finds no magic until all is in place.
void initialise(CountersLayout& layout) {
  std::memset(static_cast<void*>(&layout), 0, sizeof layout);
  layout.header.version = kCountersVersion;
  layout.header.capacity = kCountersCapacity;
  layout.header.pid = static_cast<std::uint64_t>(::getpid());
  layout.header.start_ns = wall_now_ns();
  layout.header.names_offset = offsetof(CountersLayout, names);
  layout.header.values_offset = offsetof(CountersLayout, values);
  std::atomic_ref(layout.header.magic).store(kCountersMagic, std::memory_order_release);
}

}  // namespace

struct Counters::File {
  std::string path;
  Descriptor descriptor;
  CountersLayout* layout = nullptr;

  ~File() {
    if (layout != nullptr) ::munmap(layout, kFileBytes);
    // Removed while the lock is held, so it is still ours; unless somebody put another file there.
    if (descriptor.get() >= 0 && names_this_file(path, descriptor.get())) ::unlink(path.c_str());
  }
};

Expected<std::unique_ptr<Counters>> Counters::open(const std::string& path) {
  std::unique_ptr<Counters> counters(new Counters);
  counters->file_ = std::make_unique<File>();
  File& file = *counters->file_;
  file.path = path;
  if (!path.empty()) {
    auto descriptor = open_locked(path);
    if (!descriptor) return std::unexpected(descriptor.error());
    auto notice = take_over(path, descriptor->get());
    if (!notice) return std::unexpected(notice.error());
    counters->notice_ = std::move(*notice);
    // From here on the file is ours, and removed again if anything fails.
    file.descriptor = std::move(*descriptor);
    if (auto allocated = allocate(path, file.descriptor.get()); !allocated) {
      return std::unexpected(allocated.error());
    }
  }
  file.layout = map(file.descriptor.get(), PROT_READ | PROT_WRITE);
  if (file.layout == nullptr) return std::unexpected(failure(path, "cannot map it", errno));
  initialise(*file.layout);
  return counters;
}

Counters::~Counters() = default;

Counter Counters::make(std::string_view name) {
  CountersLayout& layout = *file_->layout;
  const std::uint64_t index = layout.header.count;
  if (index >= kCountersCapacity) {
    return Counter(unlisted_.emplace_back(std::make_unique<std::uint64_t>(0)).get());
  }
  CounterName& stored = layout.names[index];
  std::memcpy(stored.data(), name.data(), std::min(name.size(), stored.size() - 1));
  // Pairs with the acquire in read(): whoever sees the count sees the name.
  std::atomic_ref(layout.header.count).store(index + 1, std::memory_order_release);
  return Counter(&layout.values[index]);
}

Expected<std::vector<Counters::Reading>> Counters::read(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (file.get() < 0) return std::unexpected(failure(path, "cannot open it", errno));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return std::unexpected(failure(path, "fstat", errno));
  const CountersHeader header = read_header(file.get());
  if (!S_ISREG(status.st_mode) || header.magic != kCountersMagic) {
    return fail(ErrorCode::mismatch, fmt::format("{} is not a counters file", path));
  }
  if (header.version != kCountersVersion || header.capacity != kCountersCapacity ||
      status.st_size < static_cast<off_t>(kFileBytes)) {
    return fail(ErrorCode::mismatch,
                fmt::format("counters file {} has layout version {} with room for {} counters in "
                            "{} bytes; this program reads version {} with {} in {}",
                            path, header.version, header.capacity, status.st_size, kCountersVersion,
                            kCountersCapacity, kFileBytes));
  }
  // A writer never shrinks its file, so the mapping stays readable.
  CountersLayout* layout = map(file.get(), PROT_READ);
  if (layout == nullptr) return std::unexpected(failure(path, "cannot map it", errno));
  // Pairs with the release in make().
  const std::uint64_t count = std::atomic_ref(layout->header.count).load(std::memory_order_acquire);
  std::vector<Reading> readings;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, kCountersCapacity); ++i) {
    const CounterName& name = layout->names[i];
    readings.push_back({std::string(name.data(), ::strnlen(name.data(), name.size())),
                        std::atomic_ref(layout->values[i]).load(std::memory_order_relaxed)});
  }
  ::munmap(layout, kFileBytes);
  return readings;
}

}  // namespace lockstep::runtime
