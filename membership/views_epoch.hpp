#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "membership/views.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// Everything that belongs to one view.
struct Views::Epoch {
  Epoch(transports::Transport& transport, const ordering::ViewLayout& layout, std::uint64_t id,
        const Admissions& admissions, const Donors& donors, const ViewsOptions& options,
        const Welcome& welcome = {}, std::vector<std::uint64_t> tokens = {})
      : view(id),
        order(transport, layout, std::move(tokens)),
        table(transport, order.layout(), id, welcome),
        agreement(table, order, admissions, donors, options.agreement),
        observation(order, layout.members, layout.my_rank, options.observation) {}

  std::uint64_t view;
  ordering::ViewOrder order;
  Table table;
  Agreement agreement;
  Observation observation;
};

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
