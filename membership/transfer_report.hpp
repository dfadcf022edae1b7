#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "lockstep/state_machine.hpp"

namespace lockstep::membership {

/// Tells the application how far a state has come: by bytes, so that no clock is needed, and at the
/// end. Told by both sides of what the joiner has loaded.
class TransferReport {
 public:
  static constexpr std::uint64_t kEveryBytes = std::uint64_t{16} << 20;

  TransferReport(StateMachine& application, std::string donor, std::string joiner)
      : application_(application),
        progress_{.donor = std::move(donor), .joiner = std::move(joiner)} {}

  void add(std::uint64_t bytes) {
    progress_.bytes += bytes;
    if (progress_.bytes < due_) return;
    due_ = progress_.bytes + kEveryBytes;
    application_.transfer_progressed(progress_);
  }
  void complete() {
    progress_.complete = true;
    application_.transfer_progressed(progress_);
  }

  [[nodiscard]] const TransferProgress& progress() const noexcept { return progress_; }

 private:
  StateMachine& application_;
  TransferProgress progress_;
  std::uint64_t due_ = kEveryBytes;
};

}  // namespace lockstep::membership
