#include "engine/kernels/prefill_attention.h"

#include <ATen/ops/ones.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "tests/engine/kernels/kernel_test.h"
#include "tests/engine/kernels/one_thread.h"

namespace windowkv {
namespace {

class PrefillAttentionTest : public KernelTest {
 protected:
  // LibTorch rounds the softmax's weights to bfloat16 before it sums the values.
  double SumError() const { return GetParam().dtype == at::kFloat ? 5e-6 : 1e-2; }

  // Causal softmax(q k^T) v, written out. [tokens, num_heads, head_dim] float64.
  static at::Tensor Expected(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             double scale) {
    const int64_t tokens = q.size(0);
    const int64_t group = q.size(1) / k.size(1);
    const auto heads_first = [group](const at::Tensor& x, bool repeat) {
      const at::Tensor wide = x.to(at::kDouble).transpose(0, 1);
      return repeat ? wide.repeat_interleave(group, 0) : wide;
    };
    const at::Tensor future =
        at::ones({tokens, tokens}, at::TensorOptions().dtype(at::kBool)).triu(1);
    const at::Tensor weights =
        (heads_first(q, false).matmul(heads_first(k, true).transpose(1, 2)) * scale)
            .masked_fill(future, -std::numeric_limits<double>::infinity())
            .softmax(-1);
    return weights.matmul(heads_first(v, true)).transpose(0, 1);
  }

  const OneThread one_thread_;
};

TEST_P(PrefillAttentionTest, EqualsCausalSoftmaxWrittenOut) {
  for (const int64_t head_dim : {8, 24, 64, 80}) {
    for (const int64_t group : {1, 3, 4}) {
      for (const int64_t tokens : {1, 2, 17, 64, 130}) {
        SCOPED_TRACE(std::to_string(tokens) + " tokens, group " + std::to_string(group) +
                     ", head_dim " + std::to_string(head_dim));
        const at::Tensor q = Random({tokens, 2 * group, head_dim}) * 2;
        const at::Tensor k = Random({tokens, 2, head_dim});
        const at::Tensor v = Random({tokens, 2, head_dim});
        const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
        const at::Tensor expected = Expected(q, k, v, scale);
        const AttentionOutput out = PrefillAttention(q, k, v, 0, 2 * group, scale);
        ExpectClose(out.values, expected, SumError());
        ExpectClose(LastTokenAttention(q.slice(0, tokens - 1), k, v, scale),
                    expected.slice(0, tokens - 1), SumError());
      }
    }
  }
}

TEST_P(PrefillAttentionTest, InputsMayBePartsOfWiderRows) {
  const at::Tensor qkv = Random({40, 4 + 2 * 2, 16});
  const at::Tensor q = qkv.slice(1, 0, 4);
  const at::Tensor k = qkv.slice(1, 4, 6);
  const at::Tensor v = qkv.slice(1, 6);
  ExpectClose(PrefillAttention(q, k, v, 0, 4, 0.25f).values, Expected(q, k, v, 0.25), SumError());
}

TEST_P(PrefillAttentionTest, HeadsInSlicesGiveTheSameBitsAsAllAtOnce) {
  const at::Tensor q = Random({100, 6, 24});
  const at::Tensor k = Random({100, 2, 24});
  const at::Tensor v = Random({100, 2, 24});
  const AttentionOutput whole = PrefillAttention(q, k, v, 0, 6, 0.2f);
  for (int64_t head = 0; head < 6; head += 3) {
    const AttentionOutput out = PrefillAttention(q, k, v, head, head + 3, 0.2f);
    EXPECT_TRUE(out.values.equal(whole.values.slice(1, head, head + 3))) << "head " << head;
    EXPECT_TRUE(out.logsumexp.equal(whole.logsumexp.slice(0, head, head + 3))) << "head " << head;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, PrefillAttentionTest, ::testing::ValuesIn(kKernelTargets),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
