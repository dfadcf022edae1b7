#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <infiniband/verbs.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "tests/processes/group_fixture.hpp"
#include "tests/processes/medium.hpp"
#include "tools/launch/members.hpp"
#include "tools/launch/shared_array.hpp"

// How many work requests a message costs a member. Counted, not trusted: every context that is
// opened in this program gets a post_send that counts what passes it, whoever posts it.

namespace {

std::atomic<std::uint64_t> work_requests{0};
int (*post_to_device)(ibv_qp*, ibv_send_wr*, ibv_send_wr**) = nullptr;

int count_and_post(ibv_qp* queue_pair, ibv_send_wr* first, ibv_send_wr** refused) {
  for (const ibv_send_wr* request = first; request != nullptr; request = request->next) {
    work_requests.fetch_add(1, std::memory_order_relaxed);
  }
  return post_to_device(queue_pair, first, refused);
}

}  // namespace

/// Stands in front of libibverbs' own. All devices of one group are of one kind, so one original is
/// enough.
extern "C" __attribute__((visibility("default"))) ibv_context* ibv_open_device(ibv_device* device) {
  using Open = ibv_context* (*)(ibv_device*);
  static const Open real = reinterpret_cast<Open>(dlsym(RTLD_NEXT, "ibv_open_device"));
  ibv_context* context = real(device);
  if (context != nullptr) {
    post_to_device = context->ops.post_send;
    context->ops.post_send = count_and_post;
  }
  return context;
}

namespace lockstep::test {
namespace {

/// As many of a member's messages may be under way as its ring takes.
constexpr std::uint64_t kWholeRing = ~std::uint64_t{0};

struct Traffic {
  const char* name;
  std::uint32_t members;
  std::uint32_t senders;    ///< the first so many
  std::uint64_t under_way;  ///< how many of a member's messages may be, not yet delivered to it
  IdlePolicy idle;
  std::uint64_t messages;  ///< of each sender
  double most = 1.2;       ///< requests per message and peer, of every member
};

std::ostream& operator<<(std::ostream& out, const Traffic& traffic) { return out << traffic.name; }

/// What a member counted over the messages after the first tenth.
struct Counts {
  std::uint64_t work_requests;
  std::uint64_t messages;
};

GroupConfig group_for(const Traffic& traffic) {
  GroupConfig config = group_of(traffic.members, 0, unique_name("requests"));
  connect_by(Medium::verbs, config);
  for (std::uint32_t i = 0; i < traffic.senders; ++i) config.senders.push_back(config.members[i]);
  // No beat among what is measured, unless it takes longer than this.
  config.heartbeat_interval_ns = 10 * kSecond;
  config.silence_timeout_ns = 100 * kSecond;
  return config;
}

int run_member(const Traffic& traffic, GroupConfig config, std::uint32_t rank, Counts& counts,
               std::atomic_ref<std::uint64_t> done) {
  config.self = config.members[rank];
  Reactor reactor({.idle = traffic.idle});
  Observer observer;
  auto group = Group::join(reactor, config, observer);
  if (!group) {
    fmt::print(stderr, "{}\n", group.error().message);
    return 1;
  }
  std::uint64_t published = rank < traffic.senders ? 0 : traffic.messages;
  std::uint64_t mine = 0;
  observer.on_apply = [&](const Message& message) { mine += message.mine ? 1 : 0; };
  const auto turn_until_applied = [&](std::uint64_t target) {
    return turn_until(reactor, [&] {
      while (published < traffic.messages && published - mine < traffic.under_way) {
        const auto slot = group->claim(64);
        if (!slot) break;
        slot->publish();
        ++published;
      }
      return observer.applied >= target;
    });
  };
  const std::uint64_t all = traffic.senders * traffic.messages;
  if (!turn_until_applied(all / 10)) return 2;
  const std::uint64_t requests_before = work_requests;
  const std::uint64_t applied_before = observer.applied;
  if (!turn_until_applied(all)) return 3;
  counts = {.work_requests = work_requests - requests_before,
            .messages = observer.applied - applied_before};
  done.fetch_add(1);
  // Others may still wait for what this member has to acknowledge.
  return turn_until(reactor, [&] { return done.load() == traffic.members; }) ? 0 : 4;
}

class WorkRequests : public testing::TestWithParam<Traffic> {};

TEST_P(WorkRequests, PerMessageAndPeerAreFew) {
  const std::string lack = missing(Medium::verbs);
  if (!lack.empty()) GTEST_SKIP() << "platform limit: " << lack;
  const Traffic& traffic = GetParam();
  auto counts = launch::SharedArray<Counts>::create(traffic.members);
  auto done = launch::SharedArray<std::uint64_t>::create(1);
  ASSERT_TRUE(counts && done);
  const GroupConfig config = group_for(traffic);
  const auto ends = launch::run_members(
      traffic.members, launch::As::processes, 100 * kSecond, [&](std::uint32_t rank) {
        return run_member(traffic, config, rank, (*counts)[rank], std::atomic_ref((*done)[0]));
      });
  ASSERT_TRUE(ends) << ends.error().message;
  for (const auto& end : *ends) ASSERT_TRUE(end.good()) << end.rank << ": " << end.words;
  for (std::uint32_t rank = 0; rank < traffic.members; ++rank) {
    const Counts& count = (*counts)[rank];
    ASSERT_GT(count.work_requests, 0u) << "nothing was counted";
    const double per_message_and_peer = static_cast<double>(count.work_requests) /
                                        static_cast<double>(count.messages) / (traffic.members - 1);
    fmt::print("{}: rank {}: {:.3f} work requests per ordered message and peer\n", traffic.name,
               rank, per_message_and_peer);
    EXPECT_LE(per_message_and_peer, traffic.most) << rank;
  }
}

// Each message by itself, when the last is delivered: a frame, or the row that acknowledges it.
// Who then waits for 1 024 turns also tells what was delivered, with a row that a stream does
// without: where the other end is slow to get a CPU, that is one each time.
constexpr double kMostAlone = 2.1;
// Towards a peer that sleeps in between both take a doorbell, too.
constexpr double kMostToSleepers = 2 * kMostAlone;

constexpr IdlePolicy kYield = IdlePolicy::yield;
constexpr IdlePolicy kSleep = IdlePolicy::backoff;

INSTANTIATE_TEST_SUITE_P(
    Verbs, WorkRequests,
    testing::Values(Traffic{"stream", 2, 2, kWholeRing, kYield, 2'000},
                    Traffic{"stream_one_sender", 3, 1, kWholeRing, kYield, 1'000},
                    Traffic{"stream_all_senders", 3, 3, kWholeRing, kYield, 1'000},
                    Traffic{"stream_to_sleepers", 2, 2, kWholeRing, kSleep, 2'000},
                    Traffic{"eight", 2, 1, 8, kYield, 2'000},
                    Traffic{"eight_both", 2, 2, 8, kYield, 2'000},
                    Traffic{"eight_of_three", 3, 3, 8, kYield, 1'000},
                    Traffic{"single", 2, 1, 1, kYield, 1'000, kMostAlone},
                    Traffic{"single_both", 2, 2, 1, kYield, 1'000, kMostAlone},
                    Traffic{"single_of_three", 3, 1, 1, kYield, 1'000, kMostAlone},
                    Traffic{"single_to_sleepers", 2, 1, 1, kSleep, 1'000, kMostToSleepers}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace lockstep::test
