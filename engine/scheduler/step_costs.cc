#include "engine/scheduler/step_costs.h"

#include <algorithm>

namespace windowkv {
namespace {

// Of the newest measurement: ten steps later a change of load is known.
constexpr double kNewest = 0.2;

void Average(double measured, double& average) {
  average = average == 0 ? measured : average + kNewest * (measured - average);
}

}  // namespace

void StepCosts::OnPrefill(int64_t cost, absl::Duration took) {
  Average(std::max(absl::ToDoubleSeconds(took), 1e-9), prefill_seconds_);
  Average(static_cast<double>(cost), prefill_cost_);
}

void StepCosts::OnDecode(absl::Duration took) {
  Average(absl::ToDoubleSeconds(took), decode_seconds_);
}

int64_t StepCosts::PrefillCostWithin(absl::Duration time) const {
  if (prefill_cost_ == 0) return 0;
  // A cost that takes exactly this long is within, whatever the division rounds.
  const double cost = absl::ToDoubleSeconds(time) / prefill_seconds_ * prefill_cost_ * (1 + 1e-9);
  return static_cast<int64_t>(std::min(cost, 1e18));
}

}  // namespace windowkv
