#include "bench/peer_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

namespace lockstep::bench {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

/// More than any answer has: 64 bytes for each of a million durations.
constexpr std::size_t kLongestLineBytes = 64 << 20;
constexpr std::uint64_t kGoodbyeNs = 10'000'000'000;

std::unexpected<Error> system_error(const char* call) {
  return fail(ErrorCode::system, fmt::format("{}: {}", call, std::strerror(errno)));
}

/// In the child: nothing comes back but the exit code of what could not be done.
int become(const std::vector<std::string>& command, const std::string& complaints, int input,
           int output) {
  const int file = open(complaints.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return 126;
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(file, STDERR_FILENO);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execv(words[0], words.data());
  return 127;
}

Expected<Json> parse_answer(const std::string& program, const std::string& line) {
  Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) {
    return fail(ErrorCode::input, fmt::format("{} answered what is no JSON object: \"{}\"", program,
                                              line.substr(0, 200)));
  }
  if (json.contains("error") && json["error"].is_string()) {
    return fail(ErrorCode::not_supported, json["error"].get<std::string>());
  }
  return json;
}

}  // namespace

PeerProcess::PeerProcess(launch::Child child, transports::Descriptor input,
                         transports::Descriptor output, std::string program, std::string complaints)
    : child_(std::move(child)),
      input_(std::move(input)),
      output_(std::move(output)),
      program_(std::move(program)),
      complaints_(std::move(complaints)) {}

Expected<PeerProcess> PeerProcess::start(const std::vector<std::string>& command,
                                         const std::string& complaints, std::uint64_t timeout_ns) {
  const std::string program = command[0].substr(command[0].rfind('/') + 1);
  if (access(command[0].c_str(), X_OK) != 0) {
    return fail(ErrorCode::not_supported,
                fmt::format("there is no program {}: it is built beside lockstep where its "
                            "development packages are (ci/setup compare)",
                            command[0]));
  }
  int to_peer[2];
  int from_peer[2];
  if (pipe2(to_peer, O_CLOEXEC) != 0) return system_error("pipe2");
  transports::Descriptor its_input(to_peer[0]);
  transports::Descriptor input(to_peer[1]);
  if (pipe2(from_peer, O_CLOEXEC) != 0) return system_error("pipe2");
  transports::Descriptor output(from_peer[0]);
  transports::Descriptor its_output(from_peer[1]);
  auto child = launch::Child::start(
      [&] { return become(command, complaints, its_input.get(), its_output.get()); });
  if (!child) return std::unexpected(child.error());
  its_input.reset();
  its_output.reset();
  PeerProcess peer(std::move(*child), std::move(input), std::move(output), program, complaints);
  if (auto greeted = peer.greet(timeout_ns); !greeted) return std::unexpected(greeted.error());
  return peer;
}

PeerProcess::~PeerProcess() {
  // A moved-from one has no process.
  input_.reset();
  if (child_.pid() != 0) static_cast<void>(child_.wait(kGoodbyeNs));
}

Expected<void> PeerProcess::greet(std::uint64_t timeout_ns) {
  const auto line = read_line(timeout_ns);
  if (!line) return std::unexpected(line.error());
  const auto json = parse_answer(program_, *line);
  if (!json) return std::unexpected(json.error());
  name_ = json->value("name", program_);
  version_ = json->value("version", "");
  return {};
}

Expected<std::vector<std::uint64_t>> PeerProcess::measure(std::uint64_t samples,
                                                          std::uint64_t timeout_ns) {
  const auto line = ask(fmt::format("measure {}\n", samples), timeout_ns);
  if (!line) return std::unexpected(line.error());
  const auto json = parse_answer(program_, *line);
  if (!json) return std::unexpected(json.error());
  const auto found = json->find("latency_ns");
  const auto is_duration = [](const Json& value) { return value.is_number_unsigned(); };
  if (found == json->end() || !found->is_array() || found->size() != samples ||
      !std::ranges::all_of(*found, is_duration)) {
    return fail(ErrorCode::input,
                fmt::format("{} did not answer with {} durations", program_, samples));
  }
  return found->get<std::vector<std::uint64_t>>();
}

Expected<std::uint64_t> PeerProcess::fail_over(std::uint64_t timeout_ns) {
  const auto line = ask("failover\n", timeout_ns);
  if (!line) return std::unexpected(line.error());
  const auto json = parse_answer(program_, *line);
  if (!json) return std::unexpected(json.error());
  const auto found = json->find("blackout_ns");
  if (found != json->end() && found->is_number_unsigned()) return found->get<std::uint64_t>();
  return fail(ErrorCode::input, fmt::format("{} did not answer with a duration", program_));
}

Expected<std::string> PeerProcess::ask(std::string_view question, std::uint64_t timeout_ns) {
  if (child_.pid() == 0) {
    return fail(ErrorCode::member_lost, fmt::format("{} was ended before", program_));
  }
  // A peer that has ended is seen as the end of its output; a signal would end the benchmark.
  const auto before = signal(SIGPIPE, SIG_IGN);
  const ssize_t written = write(input_.get(), question.data(), question.size());
  signal(SIGPIPE, before);
  if (written < 0 && errno != EPIPE) return system_error("write to a peer");
  return read_line(timeout_ns);
}

Expected<std::string> PeerProcess::read_line(std::uint64_t timeout_ns) {
  const auto deadline = Clock::now() + std::chrono::nanoseconds(timeout_ns);
  for (;;) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd watched{output_.get(), POLLIN, 0};
    const int ready = left.count() <= 0 ? 0 : poll(&watched, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      child_.kill();
      return fail(ErrorCode::timed_out,
                  fmt::format("{} did not answer within {:.3g} s and was killed{}", program_,
                              static_cast<double>(timeout_ns) / 1e9, last_words()));
    }
    std::array<char, 65'536> buffer;
    const ssize_t got = read(output_.get(), buffer.data(), buffer.size());
    if (got > 0 && unread_.size() < kLongestLineBytes) {
      unread_.append(buffer.data(), static_cast<std::size_t>(got));
      continue;
    }
    // Its output may end a moment before it does.
    const auto status = child_.wait(kGoodbyeNs);
    child_.kill();
    return fail(ErrorCode::member_lost,
                fmt::format("{} ended with status {} instead of answering{}", program_,
                            status ? *status : -1, last_words()));
  }
}

std::string PeerProcess::last_words() const {
  constexpr std::size_t kMostBytes = 500;
  std::ostringstream text;
  text << std::ifstream(complaints_).rdbuf();
  std::string words = text.str();
  while (!words.empty() && words.back() == '\n') words.pop_back();
  if (words.size() > kMostBytes) words = "…" + words.substr(words.size() - kMostBytes);
  return words.empty() ? "" : ": " + words;
}

}  // namespace lockstep::bench
