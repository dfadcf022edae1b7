#include "transports/dpdk/plugin/dpdk_port.hpp"

using lockstep::Error;
using lockstep::ErrorCode;
using lockstep::transports::Notices;
using lockstep::transports::Port;
using namespace lockstep::transports::dpdk;

/// See PluginOpen.
extern "C" __attribute__((visibility("default"))) Port* lockstep_dpdk_open(
    std::uint32_t layout, const PluginOptions& options, Notices& notices, Error& why) {
  if (layout != kPluginLayout) {
    why = {ErrorCode::not_supported,
           "the DPDK plug-in is of another build than the program; build both from one tree"};
    return nullptr;
  }
  auto port = DpdkPort::open(options, notices);
  if (port) return port->release();
  why = port.error();
  return nullptr;
}
