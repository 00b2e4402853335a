#include "engine/kernels/key_mass.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <string>

#include "engine/kernels/prefill_attention.h"
#include "tests/engine/kernels/kernel_test.h"
#include "tests/engine/kernels/written_out_attention.h"

namespace windowkv {
namespace {

class KeyMassTest : public KernelTest {
 protected:
  void ExpectMass(int64_t tokens, int64_t rows, int64_t columns, int64_t group, int64_t head_dim) {
    SCOPED_TRACE(std::to_string(tokens) + " tokens, " + std::to_string(rows) + " rows, " +
                 std::to_string(columns) + " columns, group " + std::to_string(group) +
                 ", head_dim " + std::to_string(head_dim));
    const int64_t heads = 2 * group;
    // Queries within wider rows, as they lie in the model.
    const at::Tensor q = (Random({rows, heads + 1, head_dim}) * 3).slice(1, 0, heads);
    const at::Tensor k = Random({tokens, 2, head_dim});
    const auto floats = Floats();
    at::Tensor logsumexp = at::empty({heads, rows}, floats);
    at::Tensor mass = at::zeros({heads, columns}, floats);
    RowLogSumExp(q, k, 0.4f, logsumexp);
    KeyMass(q, k, logsumexp, 0.4f, mass);
    const at::Tensor logits = CausalLogits(q, k, 0.4f);
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

TEST_P(KeyMassTest, RowsTakenInPiecesAddUpToTheSameBits) {
  const at::Tensor q = Random({150, 4, 32});
  const at::Tensor k = Random({150, 2, 32});
  const auto floats = Floats();
  at::Tensor logsumexp = at::empty({4, 150}, floats);
  at::Tensor whole = at::zeros({4, 150}, floats);
  RowLogSumExp(q, k, 0.2f, logsumexp);
  KeyMass(q, k, logsumexp, 0.2f, whole);
  at::Tensor pieces = at::zeros({4, 150}, floats);
  for (int64_t begin = 0; begin < 150; begin += 64) {
    const int64_t end = std::min<int64_t>(150, begin + 64);
    KeyMass(q.slice(0, begin, end), k.slice(0, 0, end), logsumexp.slice(1, begin, end).contiguous(),
            0.2f, pieces);
  }
  if (OnCuda()) return ExpectClose(pieces, whole.to(at::kDouble), 1e-4);  // summed by several warps
  EXPECT_TRUE(pieces.equal(whole));
}

TEST_P(KeyMassTest, AttentionGivesTheSameLogSumExp) {
  const at::Tensor q = Random({130, 4, 64}) * 2;
  const at::Tensor k = Random({130, 2, 64});
  at::Tensor logsumexp = at::empty({4, 130}, Floats());
  RowLogSumExp(q, k, 0.125f, logsumexp);
  at::Tensor values = at::empty_like(q);
  at::Tensor attended = at::empty_like(logsumexp);
  PrefillAttention(q, k, k, 0.125f, values, &attended);
  ExpectClose(attended, logsumexp.to(at::kDouble), 1e-4);
}

TEST_P(KeyMassTest, EveryQueryGivesAwayAMassOfOne) {
  const at::Tensor q = Random({70, 2, 64}) * 20;
  const at::Tensor k = Random({70, 1, 64});
  const auto floats = Floats();
  at::Tensor logsumexp = at::empty({2, 70}, floats);
  at::Tensor mass = at::zeros({2, 70}, floats);
  RowLogSumExp(q, k, 1.0f, logsumexp);
  KeyMass(q, k, logsumexp, 1.0f, mass);
  for (int64_t head = 0; head < 2; ++head) {
    EXPECT_NEAR(mass[head].sum().item<double>(), 70, 1e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, KeyMassTest, ::testing::ValuesIn(KernelTargets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
