#include "runtime/memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <utility>

namespace lockstep::runtime {
namespace {

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
/// Sizes beyond this are a mistake, and rounding them up could overflow.
constexpr std::size_t kMostBytes = std::numeric_limits<std::size_t>::max() / 2;
/// The size is final: no peer can shrink the file under another's mapping, which would make the
/// next access a SIGBUS (fcntl(2), F_ADD_SEALS).
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

std::size_t small_page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

std::size_t round_up(std::size_t bytes, std::size_t page_bytes) {
  return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

/// One number of a /proc file of "Name:  number" lines; the largest value when it is not there.
std::uint64_t proc_number(const char* path, const char* name) {
  std::uint64_t value = std::numeric_limits<std::uint64_t>::max();
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return value;
  char line[256];
  const std::size_t name_bytes = std::strlen(name);
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, name, name_bytes) != 0) continue;
    unsigned long long number = 0;
    if (std::sscanf(line + name_bytes, ": %llu", &number) == 1) value = number;
    break;
  }
  std::fclose(file);
  return value;
}

std::uint64_t soft_limit(__rlimit_resource resource) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  return limit.rlim_cur;
}

Expected<void> allowed_by_limits(std::size_t bytes, bool huge, const char* purpose) {
  // Past this limit the kernel answers ftruncate with SIGXFSZ, which would end the process.
  if (const std::uint64_t limit = soft_limit(RLIMIT_FSIZE); bytes > limit) {
    return fail(ErrorCode::no_memory,
                fmt::format("{}: {} bytes of shared memory are more than RLIMIT_FSIZE allows "
                            "({} bytes); raise it (ulimit -f unlimited)",
                            purpose, bytes, limit));
  }
  if (huge) return {};
  // The kernel promises small pages freely and kills a process when it cannot keep its word.
  const std::uint64_t available = proc_number("/proc/meminfo", "MemAvailable");
  if (bytes / 1024 > available) {
    return fail(ErrorCode::no_memory,
                fmt::format("{}: {} bytes of shared memory are needed and {} are available "
                            "(MemAvailable in /proc/meminfo); use smaller rings or fewer members",
                            purpose, bytes, available * 1024));
  }
  return {};
}

/// A sealed memfd of exactly `bytes`, all of it allocated. The descriptor is the caller's.
Expected<int> make_file(std::size_t bytes, bool huge, const char* purpose) {
  if (auto allowed = allowed_by_limits(bytes, huge, purpose); !allowed) {
    return std::unexpected(allowed.error());
  }
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0U);
  const int descriptor = ::memfd_create("lockstep", flags);
  if (descriptor < 0) {
    return fail(ErrorCode::system,
                fmt::format("{}: memfd_create: {}", purpose, std::strerror(errno)));
  }
  // Allocating now turns a shortage into an error here instead of a SIGBUS at first use.
  int error = ::ftruncate(descriptor, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  if (error == 0) error = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
  if (error == 0 && ::fcntl(descriptor, F_ADD_SEALS, kSeals) != 0) error = errno;
  if (error == 0) return descriptor;
  ::close(descriptor);
  const bool short_of_memory = error == ENOSPC || error == ENOMEM;
  return fail(
      short_of_memory ? ErrorCode::no_memory : ErrorCode::system,
      fmt::format("{}: {} bytes of shared memory: {}", purpose, bytes, std::strerror(error)));
}

std::string huge_page_state() {
  const char* pool = "/proc/meminfo";
  return fmt::format("{} of {} pages of 2 MiB are free", proc_number(pool, "HugePages_Free"),
                     proc_number(pool, "HugePages_Total"));
}

Expected<std::byte*> map(int descriptor, std::size_t bytes, const char* purpose) {
  void* address =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, 0);
  if (address != MAP_FAILED) return static_cast<std::byte*>(address);
  const int error = errno;
  return fail(error == ENOMEM ? ErrorCode::no_memory : ErrorCode::system,
              fmt::format("{}: mapping {} bytes of shared memory: {}", purpose, bytes,
                          std::strerror(error)));
}

Expected<void> lock(std::byte* data, std::size_t bytes, const char* purpose) {
  if (::mlock(data, bytes) == 0) return {};
  const int error = errno;
  const std::uint64_t locked = proc_number("/proc/self/status", "VmLck");
  const std::uint64_t held = locked == std::numeric_limits<std::uint64_t>::max() ? 0 : locked;
  const std::uint64_t limit = soft_limit(RLIMIT_MEMLOCK);
  return fail(
      ErrorCode::no_memory,
      fmt::format("{}: {} bytes cannot be locked in memory ({}): RLIMIT_MEMLOCK is {} bytes, {} of "
                  "them already used; raise it to at least {} (ulimit -l {}, or LimitMEMLOCK= of "
                  "the service), or set reactor.lock_memory = false",
                  purpose, bytes, std::strerror(error), limit, held * 1024, held * 1024 + bytes,
                  held + (bytes + 1023) / 1024));
}

bool is_huge(int descriptor, std::size_t& page_bytes) {
  struct statfs system{};
  if (::fstatfs(descriptor, &system) != 0) return false;
  if (static_cast<std::uint64_t>(system.f_type) != HUGETLBFS_MAGIC) return false;
  page_bytes = static_cast<std::size_t>(system.f_bsize);
  return true;
}

/// What makes a descriptor from a peer unfit, in words; empty if nothing does.
std::string unfit(int descriptor, std::size_t bytes) {
  struct stat file{};
  if (::fstat(descriptor, &file) != 0) return std::strerror(errno);
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  if (seals < 0) return "it is not a memfd";
  if ((seals & F_SEAL_SHRINK) == 0) return "it is not sealed against shrinking (F_SEAL_SHRINK)";
  if (static_cast<std::uint64_t>(file.st_size) < bytes) {
    return fmt::format("it holds {} bytes, {} are needed", file.st_size, bytes);
  }
  return {};
}

}  // namespace

Expected<SharedBlock> SharedBlock::create(std::size_t bytes, const MemoryOptions& options) {
  if (bytes == 0 || bytes > kMostBytes) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: a block of {} bytes; allowed: 1 to {}", options.purpose, bytes,
                            kMostBytes));
  }
  const bool wanted = options.huge_pages == HugePages::required ||
                      (options.huge_pages == HugePages::automatic && bytes >= kHugePageBytes);
  SharedBlock block;
  if (wanted) {
    const std::size_t size = round_up(bytes, kHugePageBytes);
    auto file = make_file(size, true, options.purpose);
    if (file) {
      block.descriptor_ = *file;
      block.huge_ = true;
      block.size_ = size;
    } else if (options.huge_pages == HugePages::required) {
      return fail(ErrorCode::no_memory,
                  fmt::format("{}: {} pages of 2 MiB are needed, {}; reserve them (sysctl "
                              "vm.nr_hugepages), or set reactor.huge_pages = \"automatic\" ({})",
                              options.purpose, size / kHugePageBytes, huge_page_state(),
                              file.error().message));
    } else {
      block.notice_ = fmt::format(
          "{}: no huge pages ({} needed, {}; sysctl vm.nr_hugepages reserves them): using {} KiB "
          "pages",
          options.purpose, size / kHugePageBytes, huge_page_state(), small_page_bytes() / 1024);
    }
  }
  if (!block.huge_) {
    block.size_ = round_up(bytes, small_page_bytes());
    auto file = make_file(block.size_, false, options.purpose);
    if (!file) return std::unexpected(file.error());
    block.descriptor_ = *file;
  }
  auto data = map(block.descriptor_, block.size_, options.purpose);
  if (!data) return std::unexpected(data.error());
  block.data_ = *data;
  if (options.lock) {
    if (auto locked = lock(block.data_, block.size_, options.purpose); !locked) {
      return std::unexpected(locked.error());
    }
  }
  return block;
}

Expected<SharedBlock> SharedBlock::attach(int descriptor, std::size_t bytes, const char* purpose) {
  SharedBlock block;
  block.descriptor_ = descriptor;
  if (bytes == 0 || bytes > kMostBytes) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{}: a block of {} bytes; allowed: 1 to {}", purpose, bytes, kMostBytes));
  }
  if (const std::string fault = unfit(descriptor, bytes); !fault.empty()) {
    return fail(ErrorCode::mismatch,
                fmt::format("{}: the shared memory that a peer handed over is refused: {}", purpose,
                            fault));
  }
  std::size_t page_bytes = small_page_bytes();
  block.huge_ = is_huge(descriptor, page_bytes);
  // The file is a whole number of its pages, so rounding up stays inside it.
  block.size_ = round_up(bytes, page_bytes);
  auto data = map(descriptor, block.size_, purpose);
  if (!data) return std::unexpected(data.error());
  block.data_ = *data;
  return block;
}

SharedBlock::~SharedBlock() {
  if (data_ != nullptr) ::munmap(data_, size_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

SharedBlock::SharedBlock(SharedBlock&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      huge_(std::exchange(other.huge_, false)),
      notice_(std::move(other.notice_)) {}

SharedBlock& SharedBlock::operator=(SharedBlock&& other) noexcept {
  SharedBlock moved(std::move(other));
  std::swap(data_, moved.data_);
  std::swap(size_, moved.size_);
  std::swap(descriptor_, moved.descriptor_);
  std::swap(huge_, moved.huge_);
  std::swap(notice_, moved.notice_);
  return *this;
}

}  // namespace lockstep::runtime
