// What may come over the connection of a link with keys: anything at all, between records that the
// peer sealed and pieces of them. Nothing that it did not seal may be applied, nothing may be read
// or written out of bounds.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "transports/sealing/record_reader.hpp"
#include "transports/sealing/record_writer.hpp"

namespace {

using namespace lockstep::transports;

constexpr std::size_t kRegion = 256;

void fill(LinkKeys& keys) {
  std::fill_n(keys.sending.data(), Secret::size(), static_cast<unsigned char>(1));
  std::fill_n(keys.receiving.data(), Secret::size(), static_cast<unsigned char>(1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::byte> input(reinterpret_cast<const std::byte*>(data), size);
  std::vector<std::byte> region(kRegion * kRegionCopies, std::byte{0x5a});
  LinkKeys keys;
  fill(keys);
  RecordWriter writer(keys.cipher, keys.sending);
  RecordReader reader(keys.cipher, keys.receiving);
  stream::OutboundStream out;
  stream::InboundStream in(region, kRegion);
  const std::vector<std::byte> source(kRegion, std::byte{0x33});
  bool sound = true;  // all so far is what the peer sealed
  while (input.size() >= 2) {
    const auto what = static_cast<unsigned>(input[0]);
    const std::size_t length = static_cast<std::size_t>(input[1]);
    input = input.subspan(2);
    if (what % 4 != 0) {
      if (what % 4 == 2) writer.renew_key();
      (void)out.push(what % 2, 0, std::span(source).first(length / 8 * 8), 1);
      writer.fill(out);
      auto sealed = writer.waiting();
      while (!sealed.empty()) {
        const std::size_t some = std::min<std::size_t>(1 + length, sealed.size());
        const auto state = reader.feed(sealed.first(some), in);
        if (sound && state != stream::InboundStream::State::open) std::abort();
        sealed = sealed.subspan(some);
      }
      writer.sent(writer.waiting().size());
      continue;
    }
    const auto garbage = input.first(std::min(length, input.size()));
    input = input.subspan(garbage.size());
    if (!garbage.empty()) sound = false;
    (void)reader.feed(garbage, in);
  }
  for (const std::byte one : region) {
    if (one != std::byte{0x5a} && one != std::byte{0x33}) std::abort();
  }
  return 0;
}
