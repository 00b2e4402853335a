#include "engine/kernels/normed_linear.h"

#include <ATen/ops/empty.h>

#include <cmath>
#include <string>

#include "tests/engine/kernels/kernel_test.h"

namespace windowkv {
namespace {

constexpr float kEps = 1e-5f;

class NormedLinearTest : public KernelTest {
 protected:
  // rmsnorm(x) * weight^T + bias in float64.
  static at::Tensor Product(const at::Tensor& x, const at::Tensor& norm, const at::Tensor& weight,
                            const at::Tensor& bias) {
    const at::Tensor wide = x.to(at::kDouble);
    const at::Tensor normed =
        wide / (wide.square().mean(-1, /*keepdim=*/true) + kEps).sqrt() * norm.to(at::kDouble);
    const at::Tensor product = normed.matmul(weight.to(at::kDouble).t());
    return bias.defined() ? product + bias.to(at::kDouble) : product;
  }

  // Rows are rounded before the product, which is a sum of `in` terms of about one.
  double Error(int64_t in) const {
    const double rounding = GetParam().dtype == at::kFloat ? 2e-6 : 0x1.0p-8;
    return rounding * std::sqrt(static_cast<double>(in)) * 3;
  }
};

TEST_P(NormedLinearTest, EqualsTheNormThenTheProduct) {
  for (const int64_t rows : {1, 2, 7, 8, 9, 20}) {
    for (const int64_t in : {1, 8, 33, 64, 256, 1056}) {
      SCOPED_TRACE(std::to_string(rows) + " rows of " + std::to_string(in));
      const at::Tensor x = Random({rows, in}) * 3;
      const at::Tensor norm = Random({in});
      const at::Tensor weight = Random({37, in});
      for (const at::Tensor& bias : {at::Tensor(), Random({37})}) {
        const at::Tensor expected = Product(x, norm, weight, bias);
        at::Tensor out = Empty({rows, 37});
        NormedRowLinear(x, norm, kEps, weight, bias, out);
        ExpectClose(out, expected, Error(in));
        at::Tensor wide = at::empty({rows, 37}, Floats());
        NormedRowLinear(x, norm, kEps, weight, bias, wide);
        ExpectClose(wide, expected, Error(in));
      }
    }
  }
}

TEST_P(NormedLinearTest, EqualsTheNormThenTheProductsThenTheirGate) {
  for (const int64_t rows : {1, 3, 8, 9}) {
    for (const int64_t in : {7, 64, 288}) {
      for (const int64_t width : {5, 8, 21}) {
        SCOPED_TRACE(std::to_string(rows) + " rows, " + std::to_string(in) + " to " +
                     std::to_string(width));
        const at::Tensor x = Random({rows, in}) * 3;
        const at::Tensor norm = Random({in});
        const at::Tensor weight = Random({2 * width, in}) * 0.2;
        for (const at::Tensor& bias : {at::Tensor(), Random({2 * width})}) {
          at::Tensor out = Empty({rows, width});
          NormedRowSwiGlu(x, norm, kEps, weight, bias, out);
          const at::Tensor gate_up = Product(x, norm, weight, bias);
          const at::Tensor gate = gate_up.slice(1, 0, width);
          const double largest = gate_up.abs().max().item<double>();
          ExpectClose(out, gate * gate.sigmoid() * gate_up.slice(1, width),
                      Error(in) * 0.2 * (1 + largest));
        }
      }
    }
  }
}

TEST_P(NormedLinearTest, ARowAloneAndAmongAFewGiveTheSameBits) {
  const at::Tensor x = Random({8, 256});
  const at::Tensor norm = Random({256});
  const at::Tensor weight = Random({75, 256});
  at::Tensor together = Empty({8, 75});
  NormedRowLinear(x, norm, kEps, weight, {}, together);
  for (int64_t row = 0; row < 8; ++row) {
    at::Tensor alone = Empty({1, 75});
    NormedRowLinear(x.slice(0, row, row + 1), norm, kEps, weight, {}, alone);
    EXPECT_TRUE(alone[0].equal(together[row])) << "row " << row;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, NormedLinearTest, ::testing::ValuesIn(KernelTargets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
