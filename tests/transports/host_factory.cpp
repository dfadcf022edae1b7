#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "runtime/doorbell.hpp"
#include "tests/transports/conformance.hpp"
#include "tests/transports/connected.hpp"
#include "tests/transports/verbs_group.hpp"
#include "tools/launch/local_addresses.hpp"

namespace lockstep::transports::conformance {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

/// One member of a group in this process: a thread that meets the others, and lives as long as the
/// endpoint, since the endpoint's life is that of the thread that made it.
class Owner {
 public:
  Owner(GroupConfig config, ConnectOptions options)
      : config_(std::move(config)), options_(std::move(options)) {
    bell_ = std::move(runtime::Doorbell::create().value());
    options_.doorbell = bell_.descriptor();
    thread_ = std::thread([this] { live(); });
  }
  ~Owner() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  /// Null if it could not connect.
  Transport* transport() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return met_; });
    return connection_ ? connection_->transport.get() : nullptr;
  }

  /// Its bell, or what its transport waits on beside.
  bool bell_rang() {
    std::vector<pollfd> waited{{.fd = bell_.descriptor(), .events = POLLIN, .revents = 0}};
    for (const int descriptor : transport()->descriptors()) {
      waited.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
    }
    if (::poll(waited.data(), waited.size(), 0) <= 0) return false;
    if (waited[0].revents != 0) bell_.reset();
    return true;
  }

 private:
  void live() {
    auto connected = connect_all(config_, options_);
    bell_.reset();  // it rang for who arrived
    std::unique_lock lock(mutex_);
    connection_ = std::move(connected);
    met_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return over_; });
    connection_.reset();
  }

  GroupConfig config_;
  ConnectOptions options_;
  runtime::Doorbell bell_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool met_ = false;
  bool over_ = false;
  std::unique_ptr<Connection> connection_;
  std::thread thread_;
};

/// Members of this process over `transport`, of which `far` do not look for others near. Those of
/// "auto" have addresses of `family`: of RDMA devices ("verbs"), or not ("tcp").
class NetworkOfHost final : public Network {
 public:
  static std::unique_ptr<Network> connect(const Wanted& wanted, const std::string& transport,
                                          std::uint64_t far, const std::string& family) {
    auto network = std::make_unique<NetworkOfHost>(wanted, transport, far, family);
    for (auto& owner : network->owners_) {
      if (owner->transport() == nullptr) return nullptr;
    }
    return network;
  }

  NetworkOfHost(const Wanted& wanted, const std::string& transport, std::uint64_t far,
                const std::string& family) {
    static std::atomic<int> counter{0};
    const std::string group = fmt::format("conformance-{}-{}", getpid(), counter.fetch_add(1));
    std::vector<std::string> members;
    for (std::uint32_t rank = 0; rank < wanted.members; ++rank) {
      members.push_back(fmt::format("m{}", rank));
    }
    GroupConfig config{
        .name = group, .members = members, .transport = transport, .join_timeout_ns = 30 * kSecond};
    if (transport == "auto") {
      config.addresses = launch::local_addresses(family, wanted.members, {}).value();
    }
    for (std::uint32_t rank = 0; rank < wanted.members; ++rank) {
      // Who wants encryption shares no memory; without a key there is none.
      config.encryption = (far >> rank & 1U) != 0 ? "always" : "never";
      owners_.push_back(
          std::make_unique<Owner>(config, ConnectOptions{.my_rank = rank,
                                                         .region_bytes = wanted.region_bytes,
                                                         .source_bytes = wanted.source_bytes,
                                                         .memory = {},
                                                         .introduction = {}}));
    }
  }

  Transport& endpoint(std::uint32_t rank) override { return *owners_[rank]->transport(); }

  bool run(std::vector<Party> parties) override { return run_in_threads(std::move(parties)); }
  void pump() override {}
  bool doorbell_rang(std::uint32_t rank) override { return owners_[rank]->bell_rang(); }
  void end_member(std::uint32_t rank) override { owners_[rank].reset(); }

 private:
  std::vector<std::unique_ptr<Owner>> owners_;
};

Implementation host(std::string name, std::string transport, std::uint64_t far,
                    std::string family = "tcp") {
  return {.name = std::move(name), .connect = [=](const Wanted& wanted) {
            return NetworkOfHost::connect(wanted, transport, far, family);
          }};
}

const Implementation kShm = host("shm", "shm", 0);

INSTANTIATE_TEST_SUITE_P(shm, Conformance, testing::Values(kShm, behind_faults(kShm)), name_of);

const Implementation kNear = host("near", "auto", 0);
const Implementation kMixed = host("mixed", "auto", 0b10);  // 0 and 2 share memory
const Implementation kFar = host("far", "auto", ~0U);

INSTANTIATE_TEST_SUITE_P(automatic, Conformance,
                         testing::Values(kNear, kMixed, kFar, behind_faults(kMixed)), name_of);

/// The same where the members have RDMA devices.
Implementation with_devices(std::string name, std::uint64_t far) {
  Implementation made = host(std::move(name), "auto", far, "verbs");
  made.missing = VerbsGroup::missing;
  return made;
}

const Implementation kMixedDevices = with_devices("mixed_devices", 0b10);
const Implementation kFarDevices = with_devices("far_devices", ~0U);

INSTANTIATE_TEST_SUITE_P(automaticVerbs, Conformance,
                         testing::Values(kMixedDevices, kFarDevices, behind_faults(kMixedDevices)),
                         name_of);

}  // namespace
}  // namespace lockstep::transports::conformance
