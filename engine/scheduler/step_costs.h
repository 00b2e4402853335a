#ifndef WINDOWKV_ENGINE_SCHEDULER_STEP_COSTS_H_
#define WINDOWKV_ENGINE_SCHEDULER_STEP_COSTS_H_

#include <cstdint>

#include "absl/time/time.h"

namespace windowkv {

// How long work takes on this machine, as measured while it runs: moving averages of what was read
// and of the time that it took, whose ratio a few rows that took long hardly move, and of decode
// steps. A value without a clock; not thread-safe.
class StepCosts {
 public:
  // `cost`: multiply-adds, as in Sequence::slice_costs; above 0.
  void OnPrefill(int64_t cost, absl::Duration took);
  void OnDecode(absl::Duration took);

  // What reading will take; 0 before anything was measured.
  absl::Duration PrefillTime(int64_t cost) const { return absl::Seconds(Seconds(cost)); }
  // The largest cost that takes no longer; 0 before anything was measured.
  int64_t PrefillCostWithin(absl::Duration time) const;
  // A step's tokens of all running sequences.
  absl::Duration DecodeTime() const { return absl::Seconds(decode_seconds_); }

 private:
  double Seconds(int64_t cost) const {
    return prefill_cost_ == 0 ? 0 : static_cast<double>(cost) / prefill_cost_ * prefill_seconds_;
  }

  double prefill_seconds_ = 0;  // 0: not measured yet
  double prefill_cost_ = 0;
  double decode_seconds_ = 0;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_SCHEDULER_STEP_COSTS_H_
