#include "examples/matching_engine/byte_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace lockstep::examples {
namespace {

class InputFile final : public ByteSource {
 public:
  InputFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  ~InputFile() override { close(descriptor_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // pread and not read: the offset of a descriptor is shared with forked members.
  Expected<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t got = pread(descriptor_, into.data() + done, into.size() - done,
                                static_cast<off_t>(offset + done));
      if (got == 0) break;
      if (got > 0) {
        done += static_cast<std::size_t>(got);
      } else if (errno != EINTR) {
        return fail(ErrorCode::system, fmt::format("{}: cannot read at byte {}: {}", path_,
                                                   offset + done, std::strerror(errno)));
      }
    }
    return done;
  }

  [[nodiscard]] const std::string& name() const noexcept override { return path_; }

 private:
  std::string path_;
  int descriptor_;
};

class BytesInMemory final : public ByteSource {
 public:
  BytesInMemory(std::string name, std::span<const std::byte> bytes)
      : name_(std::move(name)), bytes_(bytes) {}

  Expected<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    if (offset >= bytes_.size()) return std::size_t{0};
    const auto from = bytes_.subspan(offset);
    const std::size_t count = std::min(from.size(), into.size());
    std::copy_n(from.begin(), count, into.begin());
    return count;
  }

  [[nodiscard]] const std::string& name() const noexcept override { return name_; }

 private:
  std::string name_;
  std::span<const std::byte> bytes_;
};

class Pipe final : public ByteSource {
 public:
  Pipe(std::string name, int descriptor) : name_(std::move(name)), descriptor_(descriptor) {}

  Expected<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    const std::uint64_t start = end_ - last_.size();
    if (offset < start || offset > end_) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{}: can be read only once, from its beginning to its end", name_));
    }
    const auto known = std::span(last_).subspan(static_cast<std::size_t>(offset - start));
    std::size_t done = std::min(known.size(), into.size());
    std::copy_n(known.begin(), done, into.begin());
    while (done < into.size()) {
      const ssize_t got = read(descriptor_, into.data() + done, into.size() - done);
      if (got == 0) break;
      if (got > 0) {
        done += static_cast<std::size_t>(got);
        end_ = offset + done;
      } else if (errno != EINTR) {
        return fail(ErrorCode::system, fmt::format("{}: cannot read at byte {}: {}", name_, end_,
                                                   std::strerror(errno)));
      }
    }
    if (offset + done == end_)
      last_.assign(into.begin(), into.begin() + static_cast<std::ptrdiff_t>(done));
    return done;
  }

  [[nodiscard]] const std::string& name() const noexcept override { return name_; }

 private:
  std::string name_;
  int descriptor_;
  std::uint64_t end_ = 0;        ///< what was read in all
  std::vector<std::byte> last_;  ///< of it, the bytes of the last call
};

}  // namespace

std::unique_ptr<ByteSource> bytes_of_pipe(std::string name, int descriptor) {
  return std::make_unique<Pipe>(std::move(name), descriptor);
}

Expected<std::unique_ptr<ByteSource>> open_input_file(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return fail(ErrorCode::input, fmt::format("{}: cannot open: {}", path, std::strerror(errno)));
  }
  auto file = std::make_unique<InputFile>(path, descriptor);
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) {
    return fail(ErrorCode::input, fmt::format("{}: fstat: {}", path, std::strerror(errno)));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::input,
                fmt::format("{}: not a regular file; the input is read twice (checked, then "
                            "replayed), so it cannot come from a pipe",
                            path));
  }
  std::array<std::byte, 2> magic{};
  auto got = file->read_at(0, magic);
  if (!got) return std::unexpected(got.error());
  if (*got == 0) return fail(ErrorCode::input, fmt::format("{}: the file is empty", path));
  if (magic == std::array{std::byte{0x1f}, std::byte{0x8b}}) {
    return fail(ErrorCode::input,
                fmt::format("{}: the file is compressed; unpack it first (gunzip -k)", path));
  }
  return file;
}

std::unique_ptr<ByteSource> bytes_in_memory(std::string name, std::span<const std::byte> bytes) {
  return std::make_unique<BytesInMemory>(std::move(name), bytes);
}

ByteWindow::ByteWindow(std::unique_ptr<ByteSource> source)
    : source_(std::move(source)), buffer_(kBytes) {}

Expected<std::span<const std::byte>> ByteWindow::peek(std::size_t wanted) {
  if (end_ - start_ < wanted) {
    if (auto refilled = refill(); !refilled) return std::unexpected(refilled.error());
  }
  return std::span<const std::byte>(buffer_).subspan(start_, end_ - start_);
}

void ByteWindow::rewind() noexcept {
  start_ = 0;
  end_ = 0;
  end_offset_ = 0;
}

Expected<void> ByteWindow::refill() {
  std::memmove(buffer_.data(), buffer_.data() + start_, end_ - start_);
  end_ -= start_;
  start_ = 0;
  const auto got = source_->read_at(end_offset_, std::span(buffer_).subspan(end_));
  if (!got) return std::unexpected(got.error());
  end_ += *got;
  end_offset_ += *got;
  return {};
}

}  // namespace lockstep::examples
