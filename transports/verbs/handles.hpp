#pragma once

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include <memory>

namespace lockstep::transports {

/// Ends what libibverbs and librdmacm hand out. Order matters to them (a queue pair before the
/// completion queue it reports to, regions before their protection domain, all before the
/// context), so owners declare their handles in the order they were made.
struct Release {
  void operator()(ibv_context* handle) const noexcept { ::ibv_close_device(handle); }
  void operator()(ibv_pd* handle) const noexcept { ::ibv_dealloc_pd(handle); }
  void operator()(ibv_mr* handle) const noexcept { ::ibv_dereg_mr(handle); }
  void operator()(ibv_comp_channel* handle) const noexcept { ::ibv_destroy_comp_channel(handle); }
  void operator()(ibv_cq* handle) const noexcept { ::ibv_destroy_cq(handle); }
  void operator()(ibv_qp* handle) const noexcept { ::ibv_destroy_qp(handle); }
  void operator()(rdma_event_channel* handle) const noexcept {
    ::rdma_destroy_event_channel(handle);
  }
  void operator()(rdma_cm_id* handle) const noexcept { ::rdma_destroy_id(handle); }
};

template <class T>
using Handle = std::unique_ptr<T, Release>;

}  // namespace lockstep::transports
