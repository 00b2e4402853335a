#include "engine/kernels/key_mass.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>
#include <string>

#include "engine/kernels/prefill_attention.h"
#include "tests/engine/kernels/kernel_test.h"
#include "tests/engine/kernels/one_thread.h"

namespace windowkv {
namespace {

class KeyMassTest : public KernelTest {
 protected:
  // [num_heads, rows, tokens] float64, -inf where a row does not see a key.
  static at::Tensor Logits(const at::Tensor& q, const at::Tensor& k, double scale) {
    const OneThread one_thread;
    const int64_t rows = q.size(0);
    const int64_t group = q.size(1) / k.size(1);
    const at::Tensor keys =
        k.to(at::kDouble).transpose(0, 1).repeat_interleave(group, 0).transpose(1, 2);
    const at::Tensor future = at::ones({rows, k.size(0)}, at::TensorOptions().dtype(at::kBool))
                                  .triu(k.size(0) - rows + 1);
    return (q.to(at::kDouble).transpose(0, 1).matmul(keys) * scale)
        .masked_fill(future, -std::numeric_limits<double>::infinity());
  }

  void ExpectMass(int64_t tokens, int64_t rows, int64_t columns, int64_t group, int64_t head_dim) {
    SCOPED_TRACE(std::to_string(tokens) + " tokens, " + std::to_string(rows) + " rows, " +
                 std::to_string(columns) + " columns, group " + std::to_string(group) +
                 ", head_dim " + std::to_string(head_dim));
    const int64_t heads = 2 * group;
    // Queries within wider rows, as they lie in the model.
    const at::Tensor q = (Random({rows, heads + 1, head_dim}) * 3).slice(1, 0, heads);
    const at::Tensor k = Random({tokens, 2, head_dim});
    const auto floats = at::TensorOptions().dtype(at::kFloat);
    at::Tensor logsumexp = at::empty({heads, rows}, floats);
    at::Tensor mass = at::empty({heads, columns}, floats);
    RowLogSumExp(q, k, 0, heads, 0.4f, logsumexp);
    KeyMass(q, k, logsumexp, 0, heads, 0.4f, mass);
    const at::Tensor logits = Logits(q, k, 0.4f);
    ExpectClose(logsumexp, logits.logsumexp(-1), 1e-5);
    ExpectClose(mass, logits.softmax(-1).sum(1).slice(1, 0, columns),
                2e-6 * static_cast<double>(rows));
  }
};

TEST_P(KeyMassTest, EqualsTheColumnSumsOfTheAttentionWrittenOut) {
  for (const int64_t head_dim : {8, 32, 64}) {
    for (const int64_t group : {1, 3}) {
      for (const int64_t tokens : {1, 15, 16, 17, 64, 65, 150}) {
        ExpectMass(tokens, tokens, tokens, group, head_dim);
      }
    }
  }
}

TEST_P(KeyMassTest, TheLastQueriesAloneSeeAllKeysBeforeThem) {
  for (const int64_t head_dim : {24, 64, 80}) {
    for (const int64_t rows : {1, 7, 16, 33}) ExpectMass(200, rows, 200 - rows, 2, head_dim);
  }
}

TEST_P(KeyMassTest, OtherHeadsStayUntouched) {
  const at::Tensor q = Random({20, 4, 32});
  const at::Tensor k = Random({20, 2, 32});
  const auto floats = at::TensorOptions().dtype(at::kFloat);
  at::Tensor logsumexp = at::zeros({4, 20}, floats).fill_(99);
  at::Tensor mass = at::zeros({4, 20}, floats).fill_(99);
  RowLogSumExp(q, k, 2, 4, 0.2f, logsumexp);
  KeyMass(q, k, logsumexp, 2, 4, 0.2f, mass);
  for (const at::Tensor& x : {logsumexp, mass}) {
    EXPECT_TRUE((x.slice(0, 0, 2) == 99).all().item<bool>());
    EXPECT_FALSE((x.slice(0, 2, 4) == 99).any().item<bool>());
  }
}

TEST_P(KeyMassTest, AttentionGivesTheSameLogSumExp) {
  const at::Tensor q = Random({130, 4, 64}) * 2;
  const at::Tensor k = Random({130, 2, 64});
  at::Tensor logsumexp = at::empty({4, 130}, at::TensorOptions().dtype(at::kFloat));
  RowLogSumExp(q, k, 0, 4, 0.125f, logsumexp);
  const at::Tensor attended = PrefillAttention(q, k, k, 0, 4, 0.125f).logsumexp;
  ExpectClose(attended.contiguous(), logsumexp.to(at::kDouble), 1e-4);
}

TEST_P(KeyMassTest, EveryQueryGivesAwayAMassOfOne) {
  const at::Tensor q = Random({70, 2, 64}) * 20;
  const at::Tensor k = Random({70, 1, 64});
  const auto floats = at::TensorOptions().dtype(at::kFloat);
  at::Tensor logsumexp = at::empty({2, 70}, floats);
  at::Tensor mass = at::empty({2, 70}, floats);
  RowLogSumExp(q, k, 0, 2, 1.0f, logsumexp);
  KeyMass(q, k, logsumexp, 0, 2, 1.0f, mass);
  for (int64_t head = 0; head < 2; ++head) {
    EXPECT_NEAR(mass[head].sum().item<double>(), 70, 1e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, KeyMassTest, ::testing::ValuesIn(kKernelTargets),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
