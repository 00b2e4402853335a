#include "engine/kernels/prefill_attention.h"

#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "tests/engine/kernels/kernel_test.h"
#include "tests/engine/kernels/written_out_attention.h"

namespace windowkv {
namespace {

class PrefillAttentionTest : public KernelTest {
 protected:
  // The softmax's weights are rounded to bfloat16 before values are summed.
  double SumError() const { return GetParam().dtype == at::kFloat ? 5e-6 : 1e-2; }

  // Causal softmax(q k^T) v, written out. [rows, num_heads, head_dim] float64.
  static at::Tensor Expected(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             double scale) {
    const OneThread one_thread;
    const at::Tensor values =
        v.to(at::kDouble).transpose(0, 1).repeat_interleave(q.size(1) / k.size(1), 0);
    return CausalLogits(q, k, scale).softmax(-1).matmul(values).transpose(0, 1);
  }

  static at::Tensor Attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           float scale) {
    at::Tensor out = at::empty_like(q);
    PrefillAttention(q, k, v, scale, out);
    return out;
  }

  const OneThread one_thread_;
};

TEST_P(PrefillAttentionTest, EqualsCausalSoftmaxWrittenOut) {
  for (const int64_t head_dim : {8, 24, 64, 80, 128}) {
    for (const int64_t group : {1, 3, 4}) {
      for (const int64_t tokens : {1, 2, 17, 64, 130, 257}) {
        SCOPED_TRACE(std::to_string(tokens) + " tokens, group " + std::to_string(group) +
                     ", head_dim " + std::to_string(head_dim));
        const at::Tensor q = Random({tokens, 2 * group, head_dim}) * 2;
        const at::Tensor k = Random({tokens, 2, head_dim});
        const at::Tensor v = Random({tokens, 2, head_dim});
        const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
        ExpectClose(Attend(q, k, v, scale), Expected(q, k, v, scale), SumError());
      }
    }
  }
}

TEST_P(PrefillAttentionTest, RowsInSlicesGiveTheSameAsAllAtOnce) {
  const at::Tensor q = Random({300, 6, 64});
  const at::Tensor k = Random({300, 2, 64});
  const at::Tensor v = Random({300, 2, 64});
  const at::Tensor whole = Attend(q, k, v, 0.2f);
  for (const int64_t step : {1, 48, 100, 128}) {
    for (int64_t begin = 0; begin < 300; begin += step) {
      const int64_t end = std::min<int64_t>(300, begin + step);
      const at::Tensor out =
          Attend(q.slice(0, begin, end), k.slice(0, 0, end), v.slice(0, 0, end), 0.2f);
      if (OnCuda()) {
        ExpectClose(out, whole.slice(0, begin, end).to(at::kDouble), SumError());
      } else {
        ASSERT_TRUE(out.equal(whole.slice(0, begin, end))) << "rows from " << begin;
      }
    }
  }
}

TEST_P(PrefillAttentionTest, TellsTheDenominatorsOfItsSoftmaxes) {
  const at::Tensor q = Random({300, 6, 64}) * 4;
  const at::Tensor k = Random({300, 2, 64});
  for (const int64_t rows : {3, 150, 300}) {
    const at::Tensor last = q.slice(0, 300 - rows);
    at::Tensor out = at::empty_like(last);
    at::Tensor logsumexp = at::empty({6, rows}, last.options().dtype(at::kFloat));
    PrefillAttention(last, k, k, 0.2f, out, &logsumexp);
    ExpectClose(logsumexp, CausalLogits(last, k, 0.2).logsumexp(-1), 1e-5);
  }
}

TEST_P(PrefillAttentionTest, ThreadsDoNotChangeTheBits) {
  const at::Tensor q = Random({200, 6, 32});
  const at::Tensor k = Random({200, 2, 32});
  const at::Tensor v = Random({200, 2, 32});
  const at::Tensor alone = Attend(q, k, v, 0.2f);
  at::set_num_threads(3);
  EXPECT_TRUE(Attend(q, k, v, 0.2f).equal(alone));
}

TEST_P(PrefillAttentionTest, TheOutputMayReplaceTheQueries) {
  at::Tensor q = Random({150, 4, 64});
  const at::Tensor k = Random({150, 2, 64});
  const at::Tensor v = Random({150, 2, 64});
  const at::Tensor expected = Attend(q, k, v, 0.2f);
  PrefillAttention(q, k, v, 0.2f, q);
  EXPECT_TRUE(q.equal(expected));
}

TEST_P(PrefillAttentionTest, InputsMayBePartsOfWiderRows) {
  const at::Tensor qkv = Random({40, 4 + 2 * 2, 32});
  const at::Tensor q = qkv.slice(1, 0, 4);
  const at::Tensor k = qkv.slice(1, 4, 6);
  const at::Tensor v = qkv.slice(1, 6);
  at::Tensor out = Empty({40, 4, 32});
  PrefillAttention(q, k, v, 0.25f, out);
  ExpectClose(out, Expected(q, k, v, 0.25), SumError());
}

TEST_P(PrefillAttentionTest, ManyRowsSeeWhatLiesBeforeThem) {
  for (const int64_t head_dim : {8, 24, 64, 80, 128}) {
    SCOPED_TRACE("head_dim " + std::to_string(head_dim));
    const at::Tensor qkv = Random({300, 6 + 2 * 2, head_dim});
    const at::Tensor q = qkv.slice(1, 0, 6).slice(0, 150);
    const at::Tensor k = qkv.slice(1, 6, 8);
    const at::Tensor v = qkv.slice(1, 8);
    at::Tensor out = Empty({150, 6, head_dim});
    PrefillAttention(q, k, v, 0.2f, out);
    ExpectClose(out, Expected(q, k, v, 0.2), SumError());
  }
}

TEST_P(PrefillAttentionTest, OneKeyMayTakeAllAttentionWhereverItLies) {
  const at::Tensor q = Random({150, 2, 64}).abs();
  const at::Tensor v = Random({300, 2, 64});
  for (const int64_t key : {20, 160}) {
    const at::Tensor k = Random({300, 2, 64}) * 0.1;
    k.select(0, key).fill_(30);
    ExpectClose(Attend(q, k, v, 1.0f), Expected(q, k, v, 1), SumError());
  }
}

TEST_P(PrefillAttentionTest, WhatLiesBehindTheLastTokenDoesNotMatter) {
  const at::Tensor q = Random({21, 3, 64});
  const at::Tensor k = Random({40, 1, 64});
  const at::Tensor v = Random({40, 1, 64});
  const at::Tensor expected = Attend(q, k.slice(0, 0, 21), v.slice(0, 0, 21), 0.2f);
  k.slice(0, 21).fill_(std::numeric_limits<float>::quiet_NaN());
  v.slice(0, 21).fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(Attend(q, k.slice(0, 0, 21), v.slice(0, 0, 21), 0.2f).equal(expected));
}

TEST_P(PrefillAttentionTest, LargeLogitsKeepTheirSoftmax) {
  const at::Tensor q = Random({300, 1, 64}) * 60;
  const at::Tensor k = Random({300, 1, 64});
  const at::Tensor v = Random({300, 1, 64});
  // A logit of some hundred has lost that much in float32.
  ExpectClose(Attend(q, k, v, 1.0f), Expected(q, k, v, 1), std::max(SumError(), 2e-4));
}

INSTANTIATE_TEST_SUITE_P(Targets, PrefillAttentionTest, ::testing::ValuesIn(KernelTargets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
