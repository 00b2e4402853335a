#ifndef WINDOWKV_TESTS_ENGINE_KERNELS_LOGITS_TEST_H_
#define WINDOWKV_TESTS_ENGINE_KERNELS_LOGITS_TEST_H_

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/engine/kernels/kernel_test.h"

namespace windowkv {

// Of a kernel that reads logits, which are float32.
class LogitsTest : public KernelTest {
 protected:
  at::Tensor Logits(const std::vector<std::vector<float>>& rows) const {
    at::Tensor logits = at::empty(
        {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())}, at::kFloat);
    auto* data = logits.mutable_data_ptr<float>();
    for (const std::vector<float>& row : rows) data = std::ranges::copy(row, data).out;
    return logits.to(Options());
  }
};

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_KERNELS_LOGITS_TEST_H_
