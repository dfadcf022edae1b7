#pragma once

#include <string>

#include "lockstep/state_machine.hpp"
#include "tools/node/served_application.hpp"

namespace lockstep::node {

/// A member's side of its group: hands messages to the application and says each event in one line.
class NodeMember final : public StateMachine {
 public:
  NodeMember(std::string name, ServedApplication& served)
      : name_(std::move(name)), served_(served) {}

  void apply(const Message& message) override { served_.apply(message); }
  bool save(SnapshotWriter& writer) override { return served_.save(writer); }
  void load(SnapshotReader& reader) override { served_.load(reader); }
  void view_installed(const View& view) override;
  void transfer_progressed(const TransferProgress& progress) override;
  void member_unreachable(const MemberUnreachable& unreachable) override;
  void quorum_lost(const View& view) override;
  void quorum_regained(const View& view) override;
  void evicted(const View& view) override;

  [[nodiscard]] bool is_evicted() const noexcept { return evicted_; }
  /// Begins a new incarnation, with nothing.
  void begin();
  /// "a: line"
  void tell(const std::string& line) const;

 private:
  std::string name_;
  ServedApplication& served_;
  bool evicted_ = false;
};

}  // namespace lockstep::node
