#pragma once

#include <poll.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <thread>
#include <vector>

#include "tools/node/address.hpp"
#include "tools/node/client_connection.hpp"
#include "tools/node/served_application.hpp"

namespace lockstep::node {

/// Serves clients of a member from a thread of its own, so that the reactor never waits for a
/// socket. Bounded: so many clients, each with one request and one reply in memory. Who sends no
/// packet gets told and is closed; who keeps it waiting is closed, with a line that says why.
class Gateway {
 public:
  struct Options {
    std::size_t most_clients = 64;
    /// For a whole request, and for taking a reply.
    std::uint64_t patience_ms = 10'000;
    /// Readable when `on_signal` is to be called, from the gateway's thread; negative: never.
    int signals = -1;
    std::function<void()> on_signal{};
  };

  /// Starts the thread. `listener` listens at `address`; all outlive the gateway.
  Gateway(const Address& address, Descriptor listener, const Bell& bell, ServedApplication& served,
          Options options);
  /// Ends the thread, closes what is open and removes the socket's path.
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

 private:
  using Clients = std::list<ClientConnection>;

  void run();
  void wait();
  void accept_clients();
  void hand_out_answers();
  /// All that can be done for a client now. False: it is to be closed.
  bool serve(ClientConnection& client, short happened);
  bool take_request(ClientConnection& client);
  bool is_patient_with(const ClientConnection& client) const;

  const Address& address_;
  Descriptor listener_;
  const Bell& bell_;
  ServedApplication& served_;
  const Options options_;
  Clients clients_;
  std::vector<pollfd> waited_on_;  ///< bell, signals, listener, then the clients in order
  std::uint64_t last_token_ = 0;
  std::uint64_t last_client_ = 0;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace lockstep::node
