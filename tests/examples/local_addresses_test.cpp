#include "tools/launch/local_addresses.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "runtime/endpoint.hpp"
#include "tools/launch/members.hpp"
#include "tools/launch/shared_array.hpp"

namespace lockstep::launch {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

std::vector<std::uint16_t> ports_of(std::uint32_t count, const char* host) {
  std::vector<std::uint16_t> ports;
  const auto addresses = local_addresses("udp", count, {host});
  EXPECT_TRUE(addresses) << addresses.error().message;
  if (!addresses) return ports;
  for (const std::string& address : *addresses) {
    ports.push_back(runtime::port_of(runtime::parse_endpoint(address).value()));
  }
  return ports;
}

TEST(LocalAddresses, ProcessesThatAskAtOnceGetDifferentPorts) {
  constexpr std::uint32_t kProcesses = 16;
  constexpr std::uint32_t kEach = 24;
  auto shared = SharedArray<std::uint16_t>::create(std::size_t{kProcesses} * kEach);
  ASSERT_TRUE(shared) << shared.error().message;
  const auto ends = run_members(kProcesses, As::processes, 60 * kSecondNs, [&](std::uint32_t rank) {
    const auto ports = ports_of(kEach, "127.0.0.1");
    if (ports.size() != kEach) return 1;
    for (std::uint32_t i = 0; i < kEach; ++i) (*shared)[rank * kEach + i] = ports[i];
    return 0;
  });
  ASSERT_TRUE(ends) << ends.error().message;
  EXPECT_TRUE(std::ranges::all_of(*ends, &MemberEnd::good));
  std::set<std::uint16_t> different;
  for (std::uint32_t i = 0; i < kProcesses * kEach; ++i) different.insert((*shared)[i]);
  EXPECT_EQ(different.size(), std::size_t{kProcesses} * kEach);
}

TEST(LocalAddresses, NoPortIsOneThatTheSystemGivesToWhoeverAsksForAny) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    for (const std::uint16_t port : ports_of(50, host)) {
      EXPECT_GE(port, 1'024) << host;
      EXPECT_LT(port, 32'768) << host;
    }
  }
}

TEST(LocalAddresses, AHostThatIsNotThisOneIsNamed) {
  const auto addresses = local_addresses("tcp", 1, {"192.0.2.1"});
  ASSERT_FALSE(addresses);
  EXPECT_NE(addresses.error().message.find("192.0.2.1"), std::string::npos);
}

}  // namespace
}  // namespace lockstep::launch
