#ifndef WINDOWKV_ENGINE_KERNELS_LOGIT_WEIGHT_H_
#define WINDOWKV_ENGINE_KERNELS_LOGIT_WEIGHT_H_

#include <cmath>
#include <cstdint>

#include "engine/kernels/host_device.h"
#include "engine/kernels/sample_rows.h"

// The arithmetic of a draw, the same on a processor and on a CUDA device.
namespace windowkv {

// The highest logit's weight. Sums of 2^22 weights still fit into 64 bits.
constexpr uint64_t kHighestWeight = uint64_t{1} << 40;

// A logit's share of the softmax, of the highest one's.
WINDOWKV_HOST_DEVICE inline uint64_t LogitWeight(float logit, float highest, float temperature) {
  const double share = exp((static_cast<double>(logit) - highest) / temperature);
  return static_cast<uint64_t>(rint(share * static_cast<double>(kHighestWeight)));
}

// The least weight that is left by min_p.
WINDOWKV_HOST_DEVICE inline uint64_t LeastWeight(float min_p) {
  const auto least = static_cast<uint64_t>(min_p * static_cast<double>(kHighestWeight));
  return least > 1 ? least : 1;
}

// What a candidate counts for in a draw: nothing below LeastWeight(min_p).
WINDOWKV_HOST_DEVICE inline uint64_t CandidateWeight(float logit, float highest, float temperature,
                                                     uint64_t least) {
  const uint64_t weight = LogitWeight(logit, highest, temperature);
  return weight >= least ? weight : 0;
}

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
