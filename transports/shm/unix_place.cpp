#include "transports/shm/unix_place.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "transports/hello/hello_packet.hpp"
#include "transports/shm/unix_socket.hpp"

namespace lockstep::transports {
namespace {

/// Packets arrive whole, with their descriptors.
class UnixConversation final : public Conversation {
 public:
  explicit UnixConversation(Descriptor socket) : socket_(std::move(socket)) {}

  bool say(std::span<const std::byte> packet, std::span<const int> descriptors) override {
    said_ = true;
    return unix_socket::send(socket_, packet, descriptors);
  }

  Heard hear() override {
    std::vector<std::byte> packet(kMaxHelloBytes);
    auto received = unix_socket::receive(socket_, packet);
    if (received.what == unix_socket::Receive::nothing) return {};
    if (received.what == unix_socket::Receive::closed) return {.what = Heard::What::closed};
    packet.resize(received.bytes);
    Heard heard{.what = Heard::What::hello, .packet = std::move(packet), .descriptors = {}};
    for (std::size_t i = 0; i < received.descriptor_count; ++i) {
      heard.descriptors.push_back(std::move(received.descriptors[i]));
    }
    return heard;
  }

  [[nodiscard]] int descriptor() const override { return socket_.get(); }
  [[nodiscard]] bool sending() const override { return false; }
  [[nodiscard]] bool early() const override { return !said_; }
  [[nodiscard]] bool near() const override { return true; }
  [[nodiscard]] std::string peer() const override {
    return fmt::format("process {}", unix_socket::peer_pid(socket_));
  }
  Descriptor release() override { return std::move(socket_); }

 private:
  Descriptor socket_;
  bool said_ = false;
};

}  // namespace

std::string UnixPlace::socket_name(std::uint32_t rank) const {
  return fmt::format("lockstep/{}/{}/{}", geteuid(), group_, members_[rank]);
}

Expected<Descriptor> UnixPlace::listen() {
  const std::string name = socket_name(my_rank_);
  auto listener = unix_socket::listen(name);
  if (listener || listener.error().code != ErrorCode::identity_in_use) return listener;
  auto other = unix_socket::connect(name);
  const pid_t pid = other && other->open() ? unix_socket::peer_pid(*other) : 0;
  return fail(ErrorCode::identity_in_use,
              fmt::format("member '{}' (rank {}) of group '{}' already runs on this host as "
                          "process {}; end it, or give this one another group.self or group.name",
                          members_[my_rank_], my_rank_, group_, pid));
}

Expected<std::unique_ptr<Conversation>> UnixPlace::dial(std::uint32_t rank) {
  auto socket = unix_socket::connect(socket_name(rank));
  if (!socket) return std::unexpected(socket.error());
  if (!socket->open()) return nullptr;
  return std::make_unique<UnixConversation>(std::move(*socket));
}

std::unique_ptr<Conversation> UnixPlace::accept(const Descriptor& listener) {
  Descriptor socket = unix_socket::accept(listener);
  if (!socket.open()) return nullptr;
  return std::make_unique<UnixConversation>(std::move(socket));
}

}  // namespace lockstep::transports
