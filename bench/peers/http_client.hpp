#pragma once

#include <cstdint>
#include <string>

#include "lockstep/error.hpp"
#include "transports/hello/descriptor.hpp"

namespace lockstep::bench::peers {

/// One connection over which POST requests go, one at a time, as far as etcd's gateway needs it.
class HttpClient {
 public:
  /// `address` as "127.0.0.1:2379"; no call takes longer than `timeout_ms`. Errors: system,
  /// configuration.
  static Expected<HttpClient> connect(const std::string& address, std::uint32_t timeout_ms);

  /// The body of the answer. Errors: system (a broken connection, a timeout), input (an answer
  /// with another status than 200, or none that this client understands).
  Expected<std::string> post(const std::string& path, const std::string& body);

 private:
  HttpClient(transports::Descriptor socket, std::string address)
      : socket_(std::move(socket)), address_(std::move(address)) {}
  Expected<void> receive_more(std::string& text);

  transports::Descriptor socket_;
  std::string address_;
};

}  // namespace lockstep::bench::peers
