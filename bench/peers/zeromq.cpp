// Measures ZeroMQ over TCP on loopback: no order, no stability.
//
//     lockstep_peer_zeromq FOLDER PAYLOAD_BYTES ping-pong|publish
//
// ping-pong: there and back between two processes. publish: from a publisher to its own
// subscription, with two more subscribers in processes of their own.

#include <fmt/format.h>
#include <unistd.h>
#include <zmq.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/peers/conversation.hpp"
#include "tools/launch/child.hpp"

namespace lockstep::bench::peers {
namespace {

constexpr int kTimeoutMs = 20'000;

struct End {
  void operator()(void* context) const { zmq_ctx_term(context); }
};
struct Close {
  void operator()(void* socket) const { zmq_close(socket); }
};
using Context = std::unique_ptr<void, End>;
using Socket = std::unique_ptr<void, Close>;

std::unexpected<Error> zmq_error(const char* call) {
  return fail(ErrorCode::system, fmt::format("ZeroMQ: {}: {}", call, zmq_strerror(zmq_errno())));
}

/// A socket whose calls take no longer than kTimeoutMs.
Socket make_socket(const Context& context, int kind) {
  Socket socket(zmq_socket(context.get(), kind));
  const int nothing = 0;
  zmq_setsockopt(socket.get(), ZMQ_RCVTIMEO, &kTimeoutMs, sizeof kTimeoutMs);
  zmq_setsockopt(socket.get(), ZMQ_SNDTIMEO, &kTimeoutMs, sizeof kTimeoutMs);
  zmq_setsockopt(socket.get(), ZMQ_LINGER, &nothing, sizeof nothing);
  // Else it tells of the first subscriber only.
  const int verbose = 1;
  if (kind == ZMQ_XPUB) zmq_setsockopt(socket.get(), ZMQ_XPUB_VERBOSE, &verbose, sizeof verbose);
  if (kind == ZMQ_SUB) zmq_setsockopt(socket.get(), ZMQ_SUBSCRIBE, "", 0);
  return socket;
}

Expected<std::string> bind_anywhere(const Socket& socket) {
  char endpoint[256] = "";
  std::size_t bytes = sizeof endpoint;
  if (zmq_bind(socket.get(), "tcp://127.0.0.1:*") != 0 ||
      zmq_getsockopt(socket.get(), ZMQ_LAST_ENDPOINT, endpoint, &bytes) != 0) {
    return zmq_error("bind");
  }
  return std::string(endpoint);
}

/// What the other processes do, for ever.
int follow(const std::string& endpoint, bool answers, std::size_t payload_bytes) {
  const Context context(zmq_ctx_new());
  const Socket socket = make_socket(context, answers ? ZMQ_PAIR : ZMQ_SUB);
  const int forever = -1;
  zmq_setsockopt(socket.get(), ZMQ_RCVTIMEO, &forever, sizeof forever);
  if (zmq_connect(socket.get(), endpoint.c_str()) != 0) return EXIT_FAILURE;
  std::vector<char> payload(payload_bytes);
  while (zmq_recv(socket.get(), payload.data(), payload.size(), 0) >= 0) {
    if (answers && zmq_send(socket.get(), payload.data(), payload.size(), 0) < 0) break;
  }
  return EXIT_FAILURE;
}

/// Sends with one socket and receives with the other, one message at a time.
Expected<std::vector<std::uint64_t>> measure(const Socket& out, const Socket& in,
                                             std::vector<char>& payload, std::uint64_t samples) {
  std::vector<std::uint64_t> latency_ns;
  for (std::uint64_t i = 0; i < samples; ++i) {
    const std::uint64_t start_ns = now_ns();
    if (zmq_send(out.get(), payload.data(), payload.size(), 0) < 0) return zmq_error("send");
    if (zmq_recv(in.get(), payload.data(), payload.size(), 0) < 0) return zmq_error("receive");
    latency_ns.push_back(now_ns() - start_ns);
  }
  return latency_ns;
}

/// Waits until so many have subscribed: earlier messages would be lost to them.
Expected<void> await_subscribers(const Socket& publisher, int count) {
  char subscription = 0;
  for (int i = 0; i < count; ++i) {
    if (zmq_recv(publisher.get(), &subscription, 1, 0) < 0) return zmq_error("subscriptions");
  }
  return {};
}

int run(std::size_t payload_bytes, bool publishes) {
  // The others are started first, while there are no threads, which fork(2) would not copy; where
  // to connect they learn once it is bound.
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return refuse({ErrorCode::system, "cannot make a pipe"});
  const int others = publishes ? 2 : 1;
  std::vector<launch::Child> children;
  for (int i = 0; i < others; ++i) {
    auto child = launch::Child::start([&] {
      char endpoint[64] = "";
      if (read(pipe_ends[0], endpoint, sizeof endpoint) != sizeof endpoint) return EXIT_FAILURE;
      return follow(endpoint, !publishes, payload_bytes);
    });
    if (!child) return refuse(child.error());
    children.push_back(std::move(*child));
  }
  const Context context(zmq_ctx_new());
  const Socket out = make_socket(context, publishes ? ZMQ_XPUB : ZMQ_PAIR);
  const auto endpoint = bind_anywhere(out);
  if (!endpoint) return refuse(endpoint.error());
  char words[64] = "";
  endpoint->copy(words, sizeof words - 1);
  for (int i = 0; i < others; ++i) {
    if (write(pipe_ends[1], words, sizeof words) != sizeof words) {
      return refuse({ErrorCode::system, "cannot write to a pipe"});
    }
  }
  const Socket own = make_socket(context, ZMQ_SUB);
  if (publishes) {
    if (zmq_connect(own.get(), words) != 0) return refuse(zmq_error("connect").error());
    if (auto met = await_subscribers(out, others + 1); !met) return refuse(met.error());
  }
  std::vector<char> payload(payload_bytes, 'x');
  Conversation conversation;
  conversation.measure = [&](std::uint64_t samples) {
    return measure(out, publishes ? own : out, payload, samples);
  };
  int major = 0;
  int minor = 0;
  int patch = 0;
  zmq_version(&major, &minor, &patch);
  return converse("zeromq", fmt::format("{}.{}.{}", major, minor, patch), conversation);
}

}  // namespace
}  // namespace lockstep::bench::peers

int main(int count, char** words) {
  if (count != 4) {
    fmt::print(stderr, "usage: {} FOLDER PAYLOAD_BYTES ping-pong|publish\n", words[0]);
    return EXIT_FAILURE;
  }
  return lockstep::bench::peers::run(std::strtoull(words[2], nullptr, 10),
                                     std::string(words[3]) == "publish");
}
