#include "engine/kernels/row_linear.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <string>

#include "tests/engine/kernels/kernel_test.h"

namespace windowkv {
namespace {

class RowLinearTest : public KernelTest {
 protected:
  void TearDown() override { at::set_num_threads(threads_); }

  static at::Tensor Expected(const at::Tensor& x, const at::Tensor& weight,
                             const at::Tensor& bias) {
    const at::Tensor product = x.to(at::kDouble).matmul(weight.to(at::kDouble).t());
    return bias.defined() ? product + bias.to(at::kDouble) : product;
  }

  void ExpectProduct(int64_t rows, int64_t in, int64_t out_features) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(in) + " x " +
                 std::to_string(out_features));
    const at::Tensor x = Random({rows, in});
    const at::Tensor weight = Random({out_features, in});
    const double sum_error = SumError(rows) * std::sqrt(static_cast<double>(in)) + 1e-6;
    for (const at::Tensor& bias : {at::Tensor(), Random({out_features})}) {
      const at::Tensor expected = Expected(x, weight, bias);
      const double adding = AddingError(rows, expected);
      const double error = sum_error + (bias.defined() ? adding : 0);
      at::Tensor out = Empty({rows, out_features});
      RowLinear(x, weight, bias, Accumulate::kNo, out);
      ExpectClose(out, expected, error);
      at::Tensor wide = at::empty({rows, out_features}, Floats());
      RowLinear(x, weight, bias, Accumulate::kNo, wide);
      ExpectClose(wide, expected, sum_error);
      at::Tensor sum = Random({rows, out_features});
      const at::Tensor expected_sum = expected + sum.to(at::kDouble);
      RowLinear(x, weight, bias, Accumulate::kYes, sum);
      ExpectClose(sum, expected_sum, error + adding);
    }
  }

  // Of the library's product on CUDA, whose matrix instructions cut off what they add.
  double SumError(int64_t rows) const { return IsLibrarys(rows) ? 3e-6 : 1e-6; }

  // On CUDA many rows are a library's product in bfloat16, which may be rounded before bias and
  // residual, of at most one each, are added: what was rounded may be larger than the result.
  double AddingError(int64_t rows, const at::Tensor& expected) const {
    return IsLibrarys(rows) ? 0x1.0p-8 * (expected.abs().max().item<double>() + 2) : 0;
  }

  bool IsLibrarys(int64_t rows) const {
    return OnCuda() && GetParam().dtype == at::kBFloat16 && rows > 8;
  }

  const int threads_ = at::get_num_threads();
};

TEST_P(RowLinearTest, EqualsTheProductForAnySizes) {
  for (const int64_t rows : {1, 2, 3, 4, 5, 17, 40}) {
    for (const int64_t in : {1, 8, 15, 16, 24, 31, 32, 33, 80, 200, 288, 1056}) {
      for (const int64_t out_features : {1, 3, 4, 5, 7, 64}) ExpectProduct(rows, in, out_features);
    }
  }
}

TEST_P(RowLinearTest, LargeProductsAreSplitOverThreads) {
  at::set_num_threads(3);
  ExpectProduct(2, 500, 1001);
}

// As many features as leave a device's last blocks alone, one more than that, and one less than
// fills it again.
TEST_P(RowLinearTest, FeaturesThatFillADeviceUnevenlyAreAllComputed) {
  for (const int64_t features : {4224, 4229, 6144, 6331, 8193}) {
    for (const int64_t rows : {1, 8}) ExpectProduct(rows, 96, features);
  }
}

// A decode step's result may not depend on who else decodes, nor on the threads at hand.
TEST_P(RowLinearTest, ARowAloneAndInABatchGiveTheSameBits) {
  if (OnCuda() && GetParam().dtype == at::kBFloat16) {
    GTEST_SKIP() << "more than eight rows are a matrix product of the library's there";
  }
  for (const int64_t in : {33, 100, 127, 256}) {
    SCOPED_TRACE("in_features " + std::to_string(in));
    const at::Tensor x = Random({17, in});
    const at::Tensor weight = Random({1501, in});
    const at::Tensor bias = Random({1501});
    at::Tensor alone = Empty({17, 1501});
    at::set_num_threads(1);
    for (int64_t row = 0; row < 17; ++row) {
      at::Tensor out = alone.slice(0, row, row + 1);
      RowLinear(x.slice(0, row, row + 1), weight, bias, Accumulate::kNo, out);
    }
    for (const int threads : {1, 2, 3}) {
      at::set_num_threads(threads);
      for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 17}) {
        at::Tensor batch = Empty({rows, 1501});
        RowLinear(x.slice(0, 0, rows), weight, bias, Accumulate::kNo, batch);
        EXPECT_TRUE(batch.equal(alone.slice(0, 0, rows)))
            << rows << " rows, " << threads << " threads";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, RowLinearTest, ::testing::ValuesIn(KernelTargets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
