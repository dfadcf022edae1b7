#include "transports/dpdk/plugin/bare_wire.hpp"
#include "transports/dpdk/plugin/dpdk_port.hpp"

using lockstep::Error;
using lockstep::ErrorCode;
using lockstep::transports::Notices;
using lockstep::transports::Port;
using namespace lockstep::transports::dpdk;

namespace {

template <class Opened>
auto* open_as(std::uint32_t layout, const PluginOptions& options, Notices& notices, Error& why) {
  Opened* opened = nullptr;
  if (layout != kPluginLayout) {
    why = {ErrorCode::not_supported,
           "the DPDK plug-in is of another build than the program; build both from one tree"};
    return opened;
  }
  auto made = Opened::open(options, notices);
  if (!made) why = made.error();
  if (made) opened = made->release();
  return opened;
}

}  // namespace

/// See PluginOpen.
extern "C" __attribute__((visibility("default"))) Port* lockstep_dpdk_open(
    std::uint32_t layout, const PluginOptions& options, Notices& notices, Error& why) {
  return open_as<DpdkPort>(layout, options, notices, why);
}

extern "C" __attribute__((visibility("default"))) Wire* lockstep_dpdk_open_wire(
    std::uint32_t layout, const PluginOptions& options, Notices& notices, Error& why) {
  return open_as<BareWire>(layout, options, notices, why);
}
