#include "transports/shm/rendezvous.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/clock.hpp"

namespace lockstep::transports {
namespace {

constexpr std::uint32_t kMagic = 0x4c534d31;  // "LSM1"
constexpr std::uint32_t kVersion = 1;
constexpr int kRetryMs = 5;
constexpr std::uint64_t kSilentStrangerNs = 5'000'000'000;

struct HelloPacket {
  std::uint32_t magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t rank = 0;
  std::uint32_t introduction_bytes = 0;
  std::uint64_t region_bytes = 0;
};
static_assert(sizeof(HelloPacket) == 24);

std::string socket_name(const RendezvousOptions& options, std::uint32_t rank) {
  return fmt::format("lockstep/{}/{}/{}", geteuid(), options.group, options.members[rank]);
}

/// One connection on its way to being a peer.
struct Connection {
  Descriptor socket;
  std::uint64_t since_ns = 0;
  bool said_hello = false;
};

class Meeting {
 public:
  Meeting(const RendezvousOptions& options, const DescriptorsFor& descriptors_for,
          const Examine& examine)
      : options_(options),
        descriptors_for_(descriptors_for),
        examine_(examine),
        peers_(options.members.size()),
        dialled_(options.my_rank) {}

  Expected<Met> run();

 private:
  Expected<void> listen();
  Expected<void> dial(std::uint32_t rank);
  Expected<void> hear_dialled(std::uint32_t rank);
  void welcome();
  Expected<void> hear_strangers();
  Expected<bool> hear(Connection& connection, std::uint32_t expected_rank);
  bool say_hello(Connection& connection, std::uint32_t rank);
  Expected<void> check(const HelloPacket& hello, std::uint32_t expected_rank) const;
  void wait(std::uint64_t deadline_ns) const;
  [[nodiscard]] bool complete() const;
  [[nodiscard]] Error absent() const;
  [[nodiscard]] std::string named(std::uint32_t rank) const {
    return fmt::format("member '{}' (rank {})", options_.members[rank], rank);
  }

  static constexpr std::uint32_t kAnyRank = ~std::uint32_t{0};

  const RendezvousOptions& options_;
  const DescriptorsFor& descriptors_for_;
  const Examine& examine_;
  runtime::TscClock clock_;
  Descriptor listener_;
  std::vector<PeerHello> peers_;       ///< by rank; those met have a socket
  std::vector<Connection> dialled_;    ///< by rank, to lower ranks
  std::vector<Connection> strangers_;  ///< from higher ranks, until they say who they are
};

Expected<Met> Meeting::run() {
  if (auto listening = listen(); !listening) return std::unexpected(listening.error());
  const std::uint64_t deadline = clock_.now_ns() + options_.timeout_ns;
  while (!complete()) {
    for (std::uint32_t rank = 0; rank < options_.my_rank; ++rank) {
      if (peers_[rank].socket.get() >= 0) continue;
      if (auto dialled = dial(rank); !dialled) return std::unexpected(dialled.error());
      if (auto heard = hear_dialled(rank); !heard) return std::unexpected(heard.error());
    }
    welcome();
    if (auto heard = hear_strangers(); !heard) return std::unexpected(heard.error());
    if (complete()) break;
    if (clock_.now_ns() >= deadline) return std::unexpected(absent());
    wait(deadline);
  }
  peers_.erase(peers_.begin() + options_.my_rank);
  return Met{.listener = std::move(listener_), .peers = std::move(peers_)};
}

Expected<void> Meeting::listen() {
  const std::string name = socket_name(options_, options_.my_rank);
  auto listener = unix_socket::listen(name);
  if (listener) {
    listener_ = std::move(*listener);
    return {};
  }
  if (listener.error().code != ErrorCode::identity_in_use) return std::unexpected(listener.error());
  auto other = unix_socket::connect(name);
  const pid_t pid = other && other->get() >= 0 ? unix_socket::peer_pid(*other) : 0;
  return fail(ErrorCode::identity_in_use,
              fmt::format("{} of group '{}' already runs on this host as process {}; end it, or "
                          "give this one another group.self or group.name",
                          named(options_.my_rank), options_.group, pid));
}

Expected<void> Meeting::dial(std::uint32_t rank) {
  Connection& connection = dialled_[rank];
  if (connection.socket.get() < 0) {
    auto socket = unix_socket::connect(socket_name(options_, rank));
    if (!socket) return std::unexpected(socket.error());
    connection.socket = std::move(*socket);
    connection.said_hello = false;
  }
  if (connection.socket.get() >= 0 && !connection.said_hello) {
    connection.said_hello = say_hello(connection, rank);
  }
  return {};
}

Expected<void> Meeting::hear_dialled(std::uint32_t rank) {
  Connection& connection = dialled_[rank];
  if (connection.socket.get() < 0) return {};
  auto heard = hear(connection, rank);
  if (!heard) return std::unexpected(heard.error());
  // Closed before it said anything: it was a predecessor that ended. Dial again.
  if (!*heard) connection.socket.reset();
  return {};
}

void Meeting::welcome() {
  while (strangers_.size() < 2 * options_.members.size() + 8) {
    Descriptor socket = unix_socket::accept(listener_);
    if (socket.get() < 0) return;
    strangers_.push_back(
        {.socket = std::move(socket), .since_ns = clock_.now_ns(), .said_hello = false});
  }
}

Expected<void> Meeting::hear_strangers() {
  for (Connection& stranger : strangers_) {
    auto heard = hear(stranger, kAnyRank);
    if (!heard) return std::unexpected(heard.error());
    const bool silent = clock_.now_ns() - stranger.since_ns > kSilentStrangerNs;
    if (!*heard || silent) stranger.socket.reset();
  }
  std::erase_if(strangers_, [](const Connection& c) { return c.socket.get() < 0; });
  return {};
}

/// False: the connection is of no use. A complete hello moves it to `peers_`.
Expected<bool> Meeting::hear(Connection& connection, std::uint32_t expected_rank) {
  std::vector<std::byte> packet(sizeof(HelloPacket) + kMaxIntroductionBytes);
  auto received = unix_socket::receive(connection.socket, packet);
  if (received.what == unix_socket::Receive::nothing) return true;
  HelloPacket hello;
  if (received.what == unix_socket::Receive::closed || received.bytes < sizeof hello) return false;
  std::memcpy(&hello, packet.data(), sizeof hello);
  if (hello.magic != kMagic) return false;
  if (auto checked = check(hello, expected_rank); !checked) {
    return std::unexpected(checked.error());
  }
  if (received.bytes != sizeof hello + hello.introduction_bytes) return false;
  if (received.descriptor_count != kHelloDescriptors) return false;
  if (peers_[hello.rank].socket.get() >= 0) return false;
  // Before an error may end us: the other side shall be able to name both values too.
  if (!connection.said_hello) connection.said_hello = say_hello(connection, hello.rank);
  const std::string introduction(reinterpret_cast<const char*>(packet.data()) + sizeof hello,
                                 hello.introduction_bytes);
  if (auto examined = examine_(hello.rank, introduction); !examined) {
    return std::unexpected(examined.error());
  }
  if (hello.region_bytes != options_.region_bytes) {
    return fail(ErrorCode::mismatch,
                fmt::format("regions are {} bytes here and {} at {}", options_.region_bytes,
                            hello.region_bytes, named(hello.rank)));
  }
  if (!connection.said_hello) return false;
  PeerHello& peer = peers_[hello.rank];
  peer.rank = hello.rank;
  peer.socket = std::move(connection.socket);
  std::ranges::move(std::span(received.descriptors).first(kHelloDescriptors), peer.descriptors);
  return true;
}

Expected<void> Meeting::check(const HelloPacket& hello, std::uint32_t expected_rank) const {
  if (hello.version != kVersion) {
    return fail(ErrorCode::mismatch,
                fmt::format("a member of group '{}' speaks version {} of the shared-memory hello, "
                            "this one speaks {}; run the same build everywhere",
                            options_.group, hello.version, kVersion));
  }
  const bool known = hello.rank < options_.members.size();
  const bool wanted =
      expected_rank == kAnyRank ? hello.rank > options_.my_rank : hello.rank == expected_rank;
  if (!known || !wanted) {
    return fail(ErrorCode::mismatch,
                fmt::format("a process of group '{}' says that it has rank {}, which cannot be: "
                            "group.members must list the same {} members in the same order "
                            "everywhere",
                            options_.group, hello.rank, options_.members.size()));
  }
  return {};
}

bool Meeting::say_hello(Connection& connection, std::uint32_t rank) {
  HelloPacket hello;
  hello.rank = options_.my_rank;
  hello.introduction_bytes = static_cast<std::uint32_t>(options_.introduction.size());
  hello.region_bytes = options_.region_bytes;
  std::vector<std::byte> packet(sizeof hello + options_.introduction.size());
  std::memcpy(packet.data(), &hello, sizeof hello);
  std::memcpy(packet.data() + sizeof hello, options_.introduction.data(),
              options_.introduction.size());
  return unix_socket::send(connection.socket, packet, descriptors_for_(rank));
}

void Meeting::wait(std::uint64_t deadline_ns) const {
  std::vector<pollfd> waited_on{{.fd = listener_.get(), .events = POLLIN, .revents = 0}};
  for (const Connection& c : dialled_) waited_on.push_back({c.socket.get(), POLLIN, 0});
  for (const Connection& c : strangers_) waited_on.push_back({c.socket.get(), POLLIN, 0});
  const std::uint64_t left_ms = (deadline_ns - clock_.now_ns()) / 1'000'000 + 1;
  ::poll(waited_on.data(), waited_on.size(),
         static_cast<int>(std::min<std::uint64_t>(left_ms, kRetryMs)));
}

bool Meeting::complete() const {
  const auto met =
      std::ranges::count_if(peers_, [](const PeerHello& peer) { return peer.socket.get() >= 0; });
  return static_cast<std::size_t>(met) + 1 == peers_.size();
}

Error Meeting::absent() const {
  std::string names;
  for (std::uint32_t rank = 0; rank < peers_.size(); ++rank) {
    if (rank == options_.my_rank || peers_[rank].socket.get() >= 0) continue;
    names += (names.empty() ? "" : ", ") + named(rank);
  }
  return {ErrorCode::member_absent,
          fmt::format("{} of group '{}' did not appear within {:.1f} s; start it, check that "
                      "group.name is the same everywhere, or raise group.join_timeout_ns",
                      names, options_.group, static_cast<double>(options_.timeout_ns) / 1e9)};
}

}  // namespace

Expected<Met> rendezvous(const RendezvousOptions& options, const DescriptorsFor& descriptors_for,
                         const Examine& examine) {
  return Meeting(options, descriptors_for, examine).run();
}

}  // namespace lockstep::transports
