#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "transports/link_choice.hpp"
#include "transports/link_maker.hpp"
#include "transports/shm/shm_transport.hpp"
#include "transports/tcp/tcp_transport.hpp"
#include "transports/transport.hpp"
#include "transports/verbs/verbs_transport.hpp"

namespace lockstep::transports {

/// Each link by the fastest medium that both of its ends have (DESIGN §3): shared memory where they
/// met near, else RDMA where both have a device, else TCP.
///
/// One transport of each kind under one name: a link belongs to one of them from `adopt` to `drop`,
/// and may come back over another. All post from one source. A kind that has no link costs nothing
/// in `poll`, in sleep or in a doorbell.
///
/// The order of writes. A frame is written once for all peers, so a member that has an RDMA device
/// gives all its frames a checksum, whether a peer gets them over RDMA or not, and says so in its
/// offers (`read_order`). Links of members without one keep the order of their medium.
class AutoTransport final : public Transport {
 public:
  /// What there may be links over. `shm` and `tcp` post from `source()`: they are made without one
  /// unless `source()` is theirs.
  struct Parts {
    std::unique_ptr<ShmTransport> shm;
    std::unique_ptr<TcpTransport> tcp;
    std::unique_ptr<VerbsTransport> verbs;  ///< or null, for this reason:
    Obstacle no_verbs = Obstacle::no_device;
    Notices notices;               ///< of opening them
    bool may_share_memory = true;  ///< members look for one another near
  };
  AutoTransport(Parts parts, std::uint32_t members);

  [[nodiscard]] std::size_t region_bytes() const noexcept override { return shm_->region_bytes(); }
  [[nodiscard]] WriteOrder write_order() const noexcept override {
    return verbs_ ? verbs_->write_order() : WriteOrder::ascending;
  }
  [[nodiscard]] WriteOrder read_order(LinkId link) const noexcept override;
  [[nodiscard]] std::span<std::byte> source() noexcept override {
    return verbs_ ? verbs_->source() : tcp_->source();
  }
  [[nodiscard]] std::span<std::byte> inbound(LinkId link, std::uint32_t copy) noexcept override {
    return part_of(link).inbound(link, copy);
  }
  Post write(LinkId link, std::uint32_t copy, std::uint64_t offset,
             std::span<const std::byte> bytes, std::uint64_t mark) noexcept override {
    return part_of(link).write(link, copy, offset, bytes, mark);
  }
  [[nodiscard]] bool posts_are_stores() const noexcept override {
    return links_[kVerbs] + links_[kTcp] == 0;
  }
  void flush(LinkId link) noexcept override { part_of(link).flush(link); }
  [[nodiscard]] std::uint64_t completed(LinkId link) const noexcept override {
    return part_of(link).completed(link);
  }
  std::size_t poll(std::span<LinkDown> events) noexcept override;
  void drop(LinkId link) noexcept override;
  Expected<void> adopt(std::unique_ptr<Newcomer> newcomer) override;
  void hold_life_line(LinkId link, Descriptor line) noexcept override;
  void renew_keys() noexcept override;
  void set_never_sleeps(bool never) noexcept override;
  void announce_sleep() noexcept override;
  void announce_awake() noexcept override;
  void ring_doorbells() noexcept override;
  [[nodiscard]] std::span<const int> descriptors() const noexcept override { return descriptors_; }
  [[nodiscard]] std::uint64_t deadline_ns() const noexcept override;
  [[nodiscard]] std::span<const std::string> notices() const noexcept override {
    return notices_.lines();
  }

  [[nodiscard]] std::unique_ptr<LinkMaker> link_maker() const;

 private:
  class Maker;
  class Arrival;
  enum Kind : std::uint8_t { kShm, kVerbs, kTcp, kKinds };  ///< the fastest first

  struct Route {
    Kind kind = kTcp;
    bool there = false;        ///< from `adopt` to `drop`
    bool checksummed = false;  ///< the peer's frames
  };

  [[nodiscard]] Transport& part_of(LinkId link) const noexcept {
    return *parts_[routes_[link].kind];
  }
  template <class Do>
  void each_in_use(Do&& act) const noexcept;
  void gather_descriptors() noexcept;

  const std::unique_ptr<VerbsTransport> verbs_;  ///< or null; the others post from its source
  const std::unique_ptr<TcpTransport> tcp_;
  const std::unique_ptr<ShmTransport> shm_;
  const bool may_share_memory_;
  const Obstacle no_verbs_;
  std::array<Transport*, kKinds> parts_{};
  std::array<std::uint32_t, kKinds> links_{};  ///< of each kind, from `adopt` to `drop`
  std::vector<Route> routes_;                  ///< by link
  std::vector<int> descriptors_;               ///< of the kinds in use
  Notices notices_;
};

}  // namespace lockstep::transports
