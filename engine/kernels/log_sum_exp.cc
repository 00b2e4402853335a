#include "engine/kernels/log_sum_exp.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/exp.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/vec.h"

namespace windowkv {
namespace {

struct Args {
  const float* values;
  int64_t count;
  double* result;
};

struct Body {
  WINDOWKV_KERNEL_INLINE static float Maximum(const float* values, int64_t count) {
    Vec highest = Splat(values[0]);
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      const Vec x = Load(values + i);
      highest = x > highest ? x : highest;
    }
    float maximum = values[0];
    for (int64_t lane = 0; lane < kLanes; ++lane) maximum = std::max(maximum, highest[lane]);
    for (; i < count; ++i) maximum = std::max(maximum, values[i]);
    return maximum;
  }

  WINDOWKV_KERNEL_INLINE static void Run(const Args& a, int64_t begin, int64_t end) {
    constexpr int64_t kRun = 64 * kLanes;  // what float32 sums hold
    const float maximum = Maximum(a.values, a.count);
    double sum = 0;
    int64_t i = 0;
    while (i + kLanes <= a.count) {
      Vec sums = {};
      for (const int64_t run_end = i + kRun; i < run_end && i + kLanes <= a.count; i += kLanes) {
        sums += Exp(Load(a.values + i) - maximum);
      }
      for (int64_t lane = 0; lane < kLanes; ++lane) sum += sums[lane];
    }
    for (; i < a.count; ++i) sum += std::exp(a.values[i] - maximum);
    *a.result = maximum + std::log(sum);
  }
};

}  // namespace

double LogSumExp(const float* values, int64_t count) {
  double result = 0;
  ParallelKernel<Body>(Args{values, count, &result}, /*n=*/1, /*grain=*/1);
  return result;
}

}  // namespace windowkv
