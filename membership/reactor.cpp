#include "lockstep/reactor.hpp"

#include "lockstep/counters.hpp"
#include "runtime/counters.hpp"
#include "runtime/reactor.hpp"

namespace lockstep {

Reactor::Reactor(const ReactorConfig& config)
    : reactor_(std::make_unique<runtime::Reactor>(config)) {}
Reactor::~Reactor() = default;
Reactor::Reactor(Reactor&&) noexcept = default;

void Reactor::run() { reactor_->run(); }
bool Reactor::poll_once() { return reactor_->poll_once(); }
void Reactor::idle(std::uint64_t max_ns) { reactor_->idle(max_ns); }
void Reactor::stop() noexcept { reactor_->stop(); }
IdlePolicy Reactor::idle_policy() const noexcept { return reactor_->idle_policy(); }
const std::vector<std::string>& Reactor::notices() const noexcept { return reactor_->notices(); }

Expected<std::vector<CounterReading>> read_counters(const std::string& path) {
  auto readings = runtime::Counters::read(path);
  if (!readings) return std::unexpected(readings.error());
  std::vector<CounterReading> result;
  for (auto& reading : *readings) result.push_back({std::move(reading.name), reading.value});
  return result;
}

}  // namespace lockstep
