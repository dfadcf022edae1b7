#pragma once

#include <array>
#include <cstddef>

namespace lockstep::transports {

/// A secret of 32 bytes that is wiped when it ends.
class Secret {
 public:
  Secret() = default;
  ~Secret();
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  [[nodiscard]] unsigned char* data() noexcept { return bytes_.data(); }
  [[nodiscard]] const unsigned char* data() const noexcept { return bytes_.data(); }
  [[nodiscard]] static constexpr std::size_t size() noexcept { return 32; }

 private:
  std::array<unsigned char, 32> bytes_{};
};

}  // namespace lockstep::transports
