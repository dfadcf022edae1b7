#include "transports/hello/group_key.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "transports/hello/descriptor.hpp"

namespace lockstep::transports {
namespace {

constexpr std::size_t kDigits = 2 * GroupKey::kBytes;
constexpr const char* kHowToMake =
    "make one by (umask 077; openssl rand -hex 32 > FILE) and give it to every member";

std::unexpected<Error> refuse(const std::string& path, const std::string& fault) {
  return fail(ErrorCode::configuration,
              fmt::format("group.key_file = '{}': {}; {}", path, fault, kHowToMake));
}

/// Text of a key file; one byte more than is taken, so that a longer file shows.
struct Text {
  std::array<char, kDigits + 16> bytes{};
  std::size_t size = 0;

  ~Text() { sodium_memzero(bytes.data(), bytes.size()); }
  [[nodiscard]] std::string_view view() const { return {bytes.data(), size}; }
};

/// False: errno tells why.
bool read_all(const Descriptor& file, Text& text) {
  while (text.size < text.bytes.size()) {
    const ssize_t got =
        ::read(file.get(), text.bytes.data() + text.size, text.bytes.size() - text.size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    text.size += static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

void GroupKey::Wipe::operator()(unsigned char* bytes) const noexcept { sodium_free(bytes); }

Expected<GroupKey> GroupKey::read(const std::string& path) {
  // Not blocking: the path may name a pipe. What it names is looked at once it is open, so that
  // nobody can exchange it in between.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.open()) return refuse(path, fmt::format("cannot be opened: {}", std::strerror(errno)));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return refuse(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return refuse(path, "is no regular file");
  if ((status.st_mode & 077) != 0) {
    return fail(
        ErrorCode::configuration,
        fmt::format("group.key_file = '{}': others than its owner may use it (mode {:04o}); "
                    "run chmod 600, and make a new key if others may have read this one",
                    path, status.st_mode & 07777));
  }
  Text text;
  if (!read_all(file, text)) return refuse(path, std::strerror(errno));
  auto key = from_hex(text.view());
  if (!key && key.error().code == ErrorCode::configuration) {
    return refuse(path, key.error().message);
  }
  return key;
}

Expected<GroupKey> GroupKey::from_hex(std::string_view digits) {
  if (sodium_init() < 0) return fail(ErrorCode::no_memory, "libsodium cannot be initialised");
  const std::size_t end = digits.find_last_not_of(" \t\r\n");
  digits = digits.substr(0, end == std::string_view::npos ? 0 : end + 1);
  GroupKey key;
  key.bytes_.reset(static_cast<unsigned char*>(sodium_malloc(kBytes)));
  if (!key.bytes_) {
    return fail(ErrorCode::no_memory,
                fmt::format("no memory for the key of the group: {}", std::strerror(errno)));
  }
  std::size_t bytes = 0;
  const int parsed = sodium_hex2bin(key.bytes_.get(), kBytes, digits.data(), digits.size(), nullptr,
                                    &bytes, nullptr);
  if (digits.size() != kDigits || parsed != 0 || bytes != kBytes) {
    return fail(ErrorCode::configuration, fmt::format("must hold {} hex digits", kDigits));
  }
  return key;
}

}  // namespace lockstep::transports
