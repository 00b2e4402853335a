#ifndef WINDOWKV_ENGINE_KERNELS_LOG_SUM_EXP_H_
#define WINDOWKV_ENGINE_KERNELS_LOG_SUM_EXP_H_

#include <cstdint>

namespace windowkv {

// The logarithm of the sum of e^x over values that lie in the host's memory, one of them finite and
// the others less: what turns logits into log-probabilities. On the calling thread; exponentials
// are float32, sums of many float64.
double LogSumExp(const float* values, int64_t count);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_LOG_SUM_EXP_H_
