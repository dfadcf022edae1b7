#include "bench/stream_pair.hpp"

namespace lockstep::bench {

StreamPair::StreamPair(Session& session, std::uint32_t rank) noexcept
    : session_(session),
      meeting_(session, session.floor_gives_way()),
      out_(session.stream_memory(rank == 0 ? 0 : 1), session.plan.options.payload_bytes),
      in_(session.stream_memory(rank == 0 ? 1 : 0), session.plan.options.payload_bytes) {
  const std::uint64_t messages = stream_block_messages(session.plan.options.payload_bytes);
  const bool both_ways = session.plan.senders > 1;
  if (both_ways || rank == 0) part_.send = messages;
  if (both_ways || rank == 1) part_.receive = messages;
}

Expected<StreamFloor::Block> StreamPair::run() {
  if (auto met = meeting_.meet(); !met) return std::unexpected(met.error());
  const std::uint64_t start_ns = session_.clock.now_ns();
  auto run = run_stream(out_, in_, part_, session_.clock, session_.floor_gives_way());
  if (!run) return std::unexpected(run.error());
  if (auto met = meeting_.meet(); !met) return std::unexpected(met.error());
  return Block{part_.send + part_.receive, session_.clock.now_ns() - start_ns};
}

}  // namespace lockstep::bench
