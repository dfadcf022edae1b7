// Measures perftest's ib_write_lat: bare RDMA writes between two processes of this host, no order.
//
//     lockstep_peer_ib_write_lat FOLDER PAYLOAD_BYTES
//
// It reports half of a round trip; what is passed on is the whole one, as the floor is.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "bench/peers/conversation.hpp"
#include "bench/peers/daemon.hpp"
#include "tools/launch/child.hpp"
#include "tools/launch/local_addresses.hpp"

namespace lockstep::bench::peers {
namespace {

constexpr std::uint64_t kTimeoutNs = 40'000'000'000;

/// The durations in what `ib_write_lat -H` prints: a line "number, microseconds" for each.
std::vector<std::uint64_t> read_histogram(const std::string& file) {
  std::vector<std::uint64_t> latency_ns;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    unsigned long number = 0;
    double half_us = 0;
    if (std::sscanf(line.c_str(), "%lu, %lf", &number, &half_us) != 2) continue;
    latency_ns.push_back(static_cast<std::uint64_t>(half_us * 2'000));
  }
  return latency_ns;
}

class WriteLatency {
 public:
  WriteLatency(std::string program, std::string folder, std::string payload_bytes,
               std::string address)
      : program_(std::move(program)),
        folder_(std::move(folder)),
        payload_bytes_(std::move(payload_bytes)),
        address_(std::move(address)) {}

  Expected<std::vector<std::uint64_t>> measure(std::uint64_t samples) {
    const std::string log = fmt::format("{}/run{}", folder_, ++runs_);
    std::vector<std::string> command = {program_, "-R",
                                        "-F",     "-H",
                                        "-s",     payload_bytes_,
                                        "-n",     std::to_string(samples + kUnlisted),
                                        "-p",     address_.substr(address_.rfind(':') + 1)};
    auto server = start_daemon(command, log + ".server");
    if (!server) return std::unexpected(server.error());
    command.push_back(address_.substr(0, address_.rfind(':')));
    // The server says when it listens only to people.
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      usleep(kPauseUs);
      if (server->wait(0)) break;  // it has given up
      const std::string output = fmt::format("{}.client{}", log, attempt);
      auto client = start_daemon(command, output);
      if (!client) return std::unexpected(client.error());
      const auto status = client->wait(kTimeoutNs);
      if (!status) return std::unexpected(status.error());
      auto latency_ns = read_histogram(output);
      if (latency_ns.size() >= samples) {
        latency_ns.resize(samples);
        return latency_ns;
      }
      last_ = output;
    }
    return fail(ErrorCode::system,
                fmt::format("ib_write_lat measured nothing; it said: {}; the other end: {}",
                            tail_of(last_), tail_of(log + ".server")));
  }

 private:
  /// It lists so many less than it was asked for: the tail it does not measure.
  static constexpr std::uint64_t kUnlisted = 3;
  static constexpr int kAttempts = 20;
  static constexpr useconds_t kPauseUs = 500'000;

  std::string program_;
  std::string folder_;
  std::string payload_bytes_;
  std::string address_;
  std::string last_;
  int runs_ = 0;
};

int run(const std::string& folder, const std::string& payload_bytes) {
  const auto addresses = launch::local_addresses("verbs", 1, {});
  if (!addresses) return refuse(addresses.error());
  auto program = find_program("ib_write_lat", "perftest");
  if (!program) return refuse(program.error());
  WriteLatency pair(std::move(*program), folder, payload_bytes, (*addresses)[0]);
  Conversation conversation;
  conversation.measure = [&](std::uint64_t samples) { return pair.measure(samples); };
  return converse("ib_write_lat", "", conversation);
}

}  // namespace
}  // namespace lockstep::bench::peers

int main(int count, char** words) {
  if (count != 3) {
    fmt::print(stderr, "usage: {} FOLDER PAYLOAD_BYTES\n", words[0]);
    return EXIT_FAILURE;
  }
  return lockstep::bench::peers::run(words[1], words[2]);
}
