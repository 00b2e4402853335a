#include "engine/kernels/fill_tokens.h"

#include <vector>

#include "engine/kernels/sample_rows.h"
#include "tests/engine/kernels/kernel_test.h"

namespace windowkv {
namespace {

class FillTokensTest : public KernelTest {};

TEST_P(FillTokensTest, TokensComeFromTheirRowsAndKnownOnesStay) {
  at::Tensor tokens = Ints({70, 71, 72, 73});
  FillTokens(Ints({5, 6, 7}), Ints({2, kKnownToken, 0, 2}), tokens);
  EXPECT_TRUE(tokens.equal(Ints({7, 71, 5, 7})));
}

TEST_P(FillTokensTest, ARowWithoutATokenBecomesOneThatEveryModelHas) {
  at::Tensor tokens = Ints({70, 71});
  FillTokens(Ints({kNoToken, 6}), Ints({0, 1}), tokens);
  EXPECT_TRUE(tokens.equal(Ints({0, 6})));
}

TEST_P(FillTokensTest, EveryTokenOfALargeBatchIsFilledIn) {
  std::vector<int32_t> ids;
  std::vector<int32_t> rows;
  std::vector<int32_t> expected;
  for (int32_t i = 0; i < 1000; ++i) {
    ids.push_back(3 * i);
    rows.push_back(999 - i);
    expected.push_back(3 * (999 - i));
  }
  at::Tensor tokens = Ints(std::vector<int32_t>(1000, -7));
  FillTokens(Ints(ids), Ints(rows), tokens);
  EXPECT_TRUE(tokens.equal(Ints(expected)));
}

INSTANTIATE_TEST_SUITE_P(Targets, FillTokensTest, ::testing::ValuesIn(Float32Targets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
