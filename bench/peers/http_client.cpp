#include "bench/peers/http_client.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "runtime/endpoint.hpp"

namespace lockstep::bench::peers {
namespace {

constexpr std::size_t kLongestAnswerBytes = 1 << 20;

std::unexpected<Error> failed(const std::string& address, const char* step) {
  return fail(ErrorCode::system, fmt::format("{}: {}: {}", address, step, std::strerror(errno)));
}

}  // namespace

Expected<HttpClient> HttpClient::connect(const std::string& address, std::uint32_t timeout_ms) {
  const auto endpoint = runtime::parse_endpoint(address);
  if (!endpoint) return std::unexpected(endpoint.error());
  transports::Descriptor socket(
      ::socket(endpoint->family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  const int yes = 1;
  const timeval timeout{.tv_sec = timeout_ms / 1'000,
                        .tv_usec = static_cast<suseconds_t>(timeout_ms % 1'000) * 1'000};
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  const auto* generic = reinterpret_cast<const sockaddr*>(&endpoint->address);
  if (::connect(socket.get(), generic, endpoint->length) != 0) return failed(address, "connect");
  return HttpClient(std::move(socket), address);
}

Expected<void> HttpClient::receive_more(std::string& text) {
  std::array<char, 4'096> buffer;
  const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return failed(address_, "receive");
  if (got == 0 || text.size() > kLongestAnswerBytes) {
    return fail(ErrorCode::system, fmt::format("{}: the connection ended", address_));
  }
  text.append(buffer.data(), static_cast<std::size_t>(got));
  return {};
}

Expected<std::string> HttpClient::post(const std::string& path, const std::string& body) {
  const std::string request = fmt::format(
      "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: "
      "{}\r\n\r\n{}",
      path, address_, body.size(), body);
  const ssize_t sent = send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request.size())) return failed(address_, "send");
  std::string text;
  std::size_t body_start = std::string::npos;
  while (body_start == std::string::npos) {
    if (auto more = receive_more(text); !more) return std::unexpected(more.error());
    body_start = text.find("\r\n\r\n");
  }
  body_start += 4;
  std::string head = text.substr(0, body_start);
  std::ranges::transform(head, head.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  constexpr std::string_view kLength = "\r\ncontent-length: ";
  const std::size_t length_at = head.find(kLength);
  if (length_at == std::string::npos) {
    return fail(ErrorCode::input, fmt::format("{}: an answer without a length", address_));
  }
  const std::size_t bytes = std::strtoull(head.c_str() + length_at + kLength.size(), nullptr, 10);
  while (text.size() < body_start + bytes) {
    if (auto more = receive_more(text); !more) return std::unexpected(more.error());
  }
  if (head.starts_with("http/1.1 200 ")) return text.substr(body_start, bytes);
  return fail(ErrorCode::input, fmt::format("{}: {}", address_, text.substr(0, 300)));
}

}  // namespace lockstep::bench::peers
