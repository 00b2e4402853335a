#include "engine/kernels/rms_norm.h"

#include <string>

#include "tests/engine/kernels/kernel_test.h"

namespace windowkv {
namespace {

class RmsNormTest : public KernelTest {};

at::Tensor Expected(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(at::kDouble);
  return wide / (wide.square().mean(-1, /*keepdim=*/true) + eps).sqrt() * weight.to(at::kDouble);
}

TEST_P(RmsNormTest, EqualsTheFormulaForAnyWidth) {
  for (const int64_t hidden : {1, 7, 16, 24, 33, 64, 80, 257}) {
    for (const int64_t rows : {1, 2, 3, 17, 200}) {
      SCOPED_TRACE(std::to_string(rows) + " rows of " + std::to_string(hidden));
      const at::Tensor x = Random({rows, hidden}) * 3;
      const at::Tensor weight = Random({hidden});
      at::Tensor out = Empty({rows, hidden});
      RmsNorm(x, weight, 1e-5f, out);
      ExpectClose(out, Expected(x, weight, 1e-5f));
    }
  }
}

TEST_P(RmsNormTest, RowsMayBeStrided) {
  const at::Tensor wide = Random({5, 100});
  const at::Tensor x = wide.slice(1, 20, 60);
  const at::Tensor weight = Random({40});
  at::Tensor target = Empty({5, 90});
  at::Tensor out = target.slice(1, 3, 43);
  RmsNorm(x, weight, 1e-6f, out);
  ExpectClose(out, Expected(x, weight, 1e-6f));
}

TEST_P(RmsNormTest, ARowOfZerosStaysZero) {
  const at::Tensor x = Random({2, 40}).zero_();
  at::Tensor out = Empty({2, 40});
  RmsNorm(x, Random({40}), 1e-5f, out);
  EXPECT_TRUE(out.equal(x));
}

INSTANTIATE_TEST_SUITE_P(Targets, RmsNormTest, ::testing::ValuesIn(KernelTargets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
