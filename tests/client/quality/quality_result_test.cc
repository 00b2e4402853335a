#include "client/quality/quality_result.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

TEST(QualityTallyTest, NothingAnsweredIsZero) {
  const QualityTally tally;
  EXPECT_EQ(tally.ExactMatch(), 0);
  EXPECT_EQ(tally.StandardError(), 0);
  EXPECT_EQ(tally.KeptShare(), 0);
  EXPECT_EQ(tally.MeanTimeToFirstToken(), absl::ZeroDuration());
  EXPECT_EQ(tally.MeanDecodeStep(), absl::ZeroDuration());
}

TEST(QualityTallyTest, MeansAreOverAnsweredRequests) {
  v1::Finished finished = testing::FinishedMessage().finished();
  QualityTally tally;
  tally.AddAnswer(true, finished);
  finished.mutable_receipt()->set_bytes_kept(2048);
  tally.AddAnswer(true, finished);
  tally.AddAnswer(true, finished);
  tally.AddAnswer(false, finished);
  tally.AddError(absl::UnavailableError("draining"));
  EXPECT_DOUBLE_EQ(tally.ExactMatch(), 0.75);
  EXPECT_DOUBLE_EQ(tally.StandardError(), std::sqrt(0.75 * 0.25 / 4));
  EXPECT_DOUBLE_EQ(tally.MeanBytesKept(), 1792);
  EXPECT_DOUBLE_EQ(tally.KeptShare(), 1792.0 / 4096);
  EXPECT_EQ(tally.failed(), 1);
}

TEST(QualityTallyTest, AnAnswerOfOneTokenHasNoDecodeStep) {
  v1::Finished finished = testing::FinishedMessage().finished();
  finished.mutable_usage()->set_completion_tokens(1);
  QualityTally tally;
  tally.AddAnswer(true, finished);
  EXPECT_EQ(tally.MeanDecodeStep(), absl::Milliseconds(100));
}

TEST(QualityResultTest, SumsOverFamilies) {
  const CacheSetting full;
  const CacheSetting small{v1::CACHE_POLICY_H2O, v1::TASK_UNSPECIFIED, 64};
  QualityResult result;
  const v1::Finished finished = testing::FinishedMessage().finished();
  result.tallies[{small, Family::kJob}].AddAnswer(false, finished);
  result.tallies[{small, Family::kVault}].AddAnswer(true, finished);
  result.tallies[{full, Family::kJob}].AddAnswer(true, finished);
  EXPECT_EQ(result.Settings(), (std::vector<CacheSetting>{full, small}));
  EXPECT_EQ(result.Over(small).answered(), 2);
  EXPECT_EQ(result.Over(small).exact(), 1);
  EXPECT_EQ(result.Total().answered(), 3);
}

}  // namespace
}  // namespace windowkv::client
