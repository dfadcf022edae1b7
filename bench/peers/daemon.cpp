#include "bench/peers/daemon.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace lockstep::bench::peers {

Expected<std::string> find_program(const std::string& name, const std::string& package) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/usr/local/sbin/", "/usr/local/bin/"}) {
    std::string path = folder + name;
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return fail(ErrorCode::not_supported,
              fmt::format("there is no program {} on this machine; Debian's package {} has it "
                          "(ci/setup compare)",
                          name, package));
}

Expected<launch::Child> start_daemon(const std::vector<std::string>& command,
                                     const std::string& log) {
  return launch::Child::start([&] {
    const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (file < 0 || nothing < 0) return 126;
    dup2(nothing, STDIN_FILENO);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    execv(words[0], words.data());
    return 127;
  });
}

std::string tail_of(const std::string& log) {
  constexpr std::size_t kMostBytes = 400;
  std::ostringstream text;
  text << std::ifstream(log).rdbuf();
  const std::string words = text.str();
  return words.size() > kMostBytes ? words.substr(words.size() - kMostBytes) : words;
}

}  // namespace lockstep::bench::peers
