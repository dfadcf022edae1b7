#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

namespace lockstep::bench {

/// The lockstep program, run once: what it wrote and how it ended. Killed, with what it started,
/// after `kPatience`; then `status` is -1.
class Program {
 public:
  static constexpr std::chrono::seconds kPatience{120};

  explicit Program(std::vector<std::string> arguments) { start(std::move(arguments)); }
  ~Program() {
    if (pid_ > 0 && !ended_) end_it();
    if (output_ >= 0) close(output_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Reads to the end of its output and waits for it.
  void finish() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      drain();
      int raw = 0;
      if (waitpid(pid_, &raw, WNOHANG) == pid_) {
        ended_ = true;
        drain();
        status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    end_it();
  }

  int status = -1;
  std::string output;  ///< stdout and stderr

 private:
  void start(std::vector<std::string> arguments) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    std::vector<char*> words;
    std::string program = LOCKSTEP_PROGRAM;
    words.push_back(program.data());
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      dup2(ends[1], STDERR_FILENO);
      execv(program.c_str(), words.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
    fcntl(output_, F_SETFL, O_NONBLOCK);
  }

  void drain() {
    char buffer[4096];
    for (ssize_t got; (got = read(output_, buffer, sizeof buffer)) > 0;) {
      output.append(buffer, static_cast<std::size_t>(got));
    }
  }

  /// Its members die with it: they asked the kernel for that.
  void end_it() {
    kill(pid_, SIGKILL);
    int raw = 0;
    waitpid(pid_, &raw, 0);
    ended_ = true;
  }

  pid_t pid_ = -1;
  int output_ = -1;
  bool ended_ = false;
};

}  // namespace lockstep::bench
