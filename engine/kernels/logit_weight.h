#ifndef WINDOWKV_ENGINE_KERNELS_LOGIT_WEIGHT_H_
#define WINDOWKV_ENGINE_KERNELS_LOGIT_WEIGHT_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine/kernels/host_device.h"
#include "engine/kernels/sample_rows.h"

// The arithmetic of a draw, the same on a processor and on a CUDA device.
namespace windowkv {

// The highest logit's weight. Sums of 2^22 weights still fit into 64 bits.
constexpr uint64_t kHighestWeight = uint64_t{1} << 40;

// What a logit of a row counts for in a draw: its share of the softmax at the row's temperature, of
// the highest one's; nothing when min_p rules it out.
class WeightOf {
 public:
  WINDOWKV_HOST_DEVICE WeightOf(const RowSampling& row, float highest)
      : highest_(highest),
        inverse_temperature_(1 / static_cast<double>(row.temperature)),
        least_(static_cast<uint64_t>(row.min_p * static_cast<double>(kHighestWeight))) {}

  WINDOWKV_HOST_DEVICE uint64_t operator()(float logit) const {
    const double share = exp((static_cast<double>(logit) - highest_) * inverse_temperature_);
    // Adding 2^52 rounds to the nearest whole number, which stands in the sum's lowest bits.
    constexpr double kRounder = uint64_t{1} << 52;
    const double sum = share * static_cast<double>(kHighestWeight) + kRounder;
    uint64_t weight = 0;
    memcpy(&weight, &sum, sizeof(weight));
    weight &= (uint64_t{1} << 52) - 1;
    return weight >= least_ ? weight : 0;
  }

 private:
  double highest_;
  double inverse_temperature_;
  uint64_t least_;
};

// What the weights of the tokens that top_p leaves add up to at least.
WINDOWKV_HOST_DEVICE inline uint64_t NucleusWeight(float top_p, uint64_t total) {
  const auto wanted = static_cast<uint64_t>(top_p * static_cast<double>(total));
  return wanted > 1 ? wanted : 1;
}

// The weight before the drawn token's, or within its own.
WINDOWKV_HOST_DEVICE inline uint64_t DrawnWeight(double uniform, uint64_t total) {
  const auto drawn = static_cast<uint64_t>(uniform * static_cast<double>(total));
  return drawn < total ? drawn : total - 1;
}

WINDOWKV_HOST_DEVICE inline float Edited(float logit, const LogitEdit& edit) {
  logit += edit.bias;
  if (edit.repetition != 1) {
    logit = logit > 0 ? logit / edit.repetition : logit * edit.repetition;
  }
  return logit - edit.less;
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_LOGIT_WEIGHT_H_
