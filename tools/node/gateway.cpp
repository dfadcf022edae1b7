#include "tools/node/gateway.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "tools/node/packet.hpp"
#include "tools/node/say.hpp"

namespace lockstep::node {
namespace {

constexpr std::size_t kFixed = 3;  ///< bell, signals, listener
constexpr int kLookMs = 200;       ///< how often impatience is looked at

std::uint64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace

Gateway::Gateway(const Address& address, Descriptor listener, const Bell& bell,
                 ServedApplication& served, Options options)
    : address_(address),
      listener_(std::move(listener)),
      bell_(bell),
      served_(served),
      options_(std::move(options)),
      thread_([this] { run(); }) {}

Gateway::~Gateway() {
  ending_.store(true);
  bell_.ring();
  thread_.join();
  if (address_.is_path) ::unlink(address_.text.c_str());
}

void Gateway::run() {
  while (!ending_.load()) {
    wait();
    if (waited_on_[0].revents != 0) bell_.reset();
    if (waited_on_[1].revents != 0) options_.on_signal();
    hand_out_answers();
    std::size_t at = kFixed;
    for (auto client = clients_.begin(); client != clients_.end();) {
      const short happened = waited_on_[at++].revents;
      client = serve(*client, happened) ? std::next(client) : clients_.erase(client);
    }
    accept_clients();
  }
}

void Gateway::wait() {
  waited_on_.clear();
  waited_on_.push_back({.fd = bell_.descriptor(), .events = POLLIN, .revents = 0});
  waited_on_.push_back({.fd = options_.signals, .events = POLLIN, .revents = 0});
  waited_on_.push_back({.fd = listener_.get(), .events = POLLIN, .revents = 0});
  for (const ClientConnection& client : clients_) {
    // Nothing wanted still shows the end of the connection.
    const int wanted = (client.may_read() ? POLLIN : 0) | (client.wants_to_write() ? POLLOUT : 0);
    waited_on_.push_back(
        {.fd = client.descriptor(), .events = static_cast<short>(wanted), .revents = 0});
  }
  ::poll(waited_on_.data(), waited_on_.size(), clients_.empty() ? -1 : kLookMs);
}

void Gateway::accept_clients() {
  if (waited_on_[2].revents == 0) return;
  // As many as may be at a time: whoever else waits is next.
  for (std::size_t i = 0; i < options_.most_clients; ++i) {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.get() < 0) return;
    if (clients_.size() >= options_.most_clients) {
      const std::string no =
          refusal(fmt::format("{} clients are served, the most allowed; try again, or another "
                              "member",
                              clients_.size()));
      // One attempt: who does not take even this is closed all the same.
      static_cast<void>(::send(socket.get(), no.data(), no.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
      continue;
    }
    clients_.emplace_back(std::move(socket), ++last_client_).moved(now_ms());
  }
}

void Gateway::hand_out_answers() {
  for (const ServedApplication::Answer& answer : served_.take_answers()) {
    const auto client = std::ranges::find(clients_, answer.token, &ClientConnection::token);
    if (client == clients_.end()) continue;  // gone meanwhile
    client->answer(answer.packet);
    client->moved(now_ms());
  }
}

bool Gateway::serve(ClientConnection& client, short happened) {
  const bool readable = (happened & POLLIN) != 0;
  if (!readable && (happened & (POLLERR | POLLHUP | POLLNVAL)) != 0) return false;
  if ((happened & (POLLIN | POLLOUT)) != 0) client.moved(now_ms());
  if (readable && !client.receive()) return false;
  if (!client.send()) return false;
  // What was read ahead is served as soon as the reply before it has been taken.
  while (client.may_read()) {
    if (!take_request(client)) break;
    if (!client.send()) return false;
  }
  return is_patient_with(client);
}

/// True if a request was answered at once, so that another may follow.
bool Gateway::take_request(ClientConnection& client) {
  const auto bytes = served_.request_bytes(client.unread());
  if (!bytes) {
    say(fmt::format("client {} is closed: {}", client.number(), bytes.error().message));
    client.end_with(refusal(bytes.error().message));
    return true;
  }
  if (*bytes == 0) return false;
  const std::uint64_t token = ++last_token_;
  const auto reply = served_.ask(client.unread().first(*bytes), token);
  if (reply) {
    client.answer(*bytes, *reply);
  } else {
    client.wait_for_answer(*bytes, token);
  }
  return reply.has_value();
}

bool Gateway::is_patient_with(const ClientConnection& client) const {
  if (client.owed().empty() || now_ms() - client.since_ms() < options_.patience_ms) return true;
  say(fmt::format("client {} is closed: {} for {:.1f} s", client.number(), client.owed(),
                  static_cast<double>(options_.patience_ms) / 1e3));
  return false;
}

}  // namespace lockstep::node
