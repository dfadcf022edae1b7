#include "tools/node/make_application.hpp"

#include <fmt/format.h>

#include <new>

#include "tools/node/engine_application.hpp"
#include "tools/node/kv_store.hpp"

namespace lockstep::node {

Expected<std::unique_ptr<Application>> make_application(const NodeConfig& config) {
  if (config.application == ApplicationKind::kv) return std::make_unique<KvStore>();
  try {
    return std::make_unique<EngineApplication>(config.book_orders);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::no_memory,
                fmt::format("no memory for a book of {} resting orders, about 200 bytes each; set "
                            "node.book_orders lower",
                            config.book_orders));
  }
}

}  // namespace lockstep::node
