#include "client/command_line/quality_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr CacheSetting kFull;
constexpr CacheSetting kSmall{v1::CACHE_POLICY_WINDOWKV, v1::TASK_UNSPECIFIED, 64};

const QualityRunFacts& Facts() {
  static const QualityRunFacts facts{
      .model = "fake_llama", .documents = 4, .tokens = 500, .seed = 1, .concurrency = 2};
  return facts;
}

QualityResult Measured() {
  QualityResult result;
  const v1::Finished small = testing::FinishedMessage().finished();
  v1::Finished full = small;
  full.mutable_receipt()->set_bytes_kept(4096);
  for (const Family family : {Family::kVault, Family::kJob}) {
    for (int i = 0; i < 2; ++i) {
      result.tallies[{kFull, family}].AddAnswer(true, full);
      result.tallies[{kSmall, family}].AddAnswer(family == Family::kVault || i == 0, small);
    }
  }
  return result;
}

TEST(QualityReportTest, TheTableHasARowPerSettingAndAColumnPerFamily) {
  const std::string text = QualityText(Facts(), Measured());
  EXPECT_THAT(text, HasSubstr("fake_llama: 4 documents of about 500 tokens (seed 1), 8 requests"));
  EXPECT_THAT(
      text,
      HasSubstr("full                        -   1.000 +-0.000    1.000     4.0 KiB 100.00 %"));
  EXPECT_THAT(
      text,
      HasSubstr("windowkv                   64   0.750 +-0.217    0.750     1.0 KiB  25.00 %"));
  EXPECT_THAT(text, HasSubstr("exact match            budget     vault       job\n"));
  EXPECT_THAT(text, HasSubstr("windowkv                   64     1.000     0.500\n"));
}

TEST(QualityReportTest, SaysThatItWasInterruptedAndWhatFailed) {
  QualityResult result = Measured();
  result.interrupted = true;
  result.tallies[{{v1::CACHE_POLICY_H2O, v1::TASK_UNSPECIFIED, 64}, Family::kJob}].AddError(
      absl::InvalidArgumentError("too small"));
  const std::string text = QualityText(Facts(), result);
  EXPECT_THAT(text, HasSubstr("interrupted"));
  EXPECT_THAT(text, HasSubstr("h2o                        64  no answer"));
  EXPECT_THAT(text, HasSubstr("1 failed with INVALID_ARGUMENT"));
}

TEST(QualityReportTest, TasksThatAreComparedHaveRowsCellsAndLinesOfTheirOwn) {
  QualityResult result = Measured();
  const v1::Finished finished = testing::FinishedMessage().finished();
  for (const v1::Task task : {v1::TASK_LOCALIZATION, v1::TASK_AGGREGATION}) {
    result.tallies[{{v1::CACHE_POLICY_WINDOWKV, task, 64}, Family::kJob}].AddAnswer(
        task == v1::TASK_LOCALIZATION, finished);
  }
  const std::string text = QualityText(Facts(), result);
  EXPECT_THAT(text, HasSubstr("windowkv, localization     64   1.000"));
  EXPECT_THAT(text, HasSubstr("windowkv, aggregation      64   0.000"));
  const auto json = nlohmann::json::parse(QualityJson(Facts(), result));
  EXPECT_TRUE(json["cells"][1]["task"].is_null());
  EXPECT_EQ(json["cells"][2]["task"], "localization");
  const QualityPlot plot = QualityPlotOf(Facts(), result);
  ASSERT_EQ(plot.series.size(), 3u);
  EXPECT_EQ(plot.series[2].name, "windowkv, aggregation");
}

TEST(QualityReportTest, JsonHasACellPerSettingAndFamilyAndOneOverAll) {
  const auto json = nlohmann::json::parse(QualityJson(Facts(), Measured()));
  EXPECT_EQ(json["documents"], 4);
  EXPECT_EQ(json["answered"], 8);
  ASSERT_EQ(json["cells"].size(), 6u);
  EXPECT_EQ(json["cells"][0]["policy"], "full");
  EXPECT_TRUE(json["cells"][0]["budget_tokens"].is_null());
  const auto& all = json["cells"][1];
  EXPECT_EQ(all["policy"], "windowkv");
  EXPECT_EQ(all["budget_tokens"], 64);
  EXPECT_EQ(all["family"], "all");
  EXPECT_EQ(all["exact"], 3);
  EXPECT_DOUBLE_EQ(all["exact_match_of_full"], 0.75);
  EXPECT_DOUBLE_EQ(all["kept_share"], 0.25);
  EXPECT_DOUBLE_EQ(all["mean_prefill_seconds"], 0.25);
  EXPECT_EQ(json["cells"][4]["family"], "vault");
}

TEST(QualityReportTest, ThePlotHasALinePerPolicyAndTheFullCacheAsReference) {
  const QualityPlot plot = QualityPlotOf(Facts(), Measured());
  EXPECT_EQ(plot.reference, 1.0);
  ASSERT_EQ(plot.series.size(), 1u);
  EXPECT_EQ(plot.series[0].name, "windowkv");
  ASSERT_EQ(plot.series[0].points.size(), 1u);
  EXPECT_DOUBLE_EQ(plot.series[0].points[0].kept_share, 0.25);
  EXPECT_DOUBLE_EQ(plot.series[0].points[0].exact_match, 0.75);
}

TEST(QualityReportTest, NothingMeasuredDividesByNothing) {
  EXPECT_THAT(QualityText(Facts(), {}), Not(HasSubstr("nan")));
  EXPECT_EQ(nlohmann::json::parse(QualityJson(Facts(), {}))["cells"].size(), 0u);
  EXPECT_TRUE(QualityPlotOf(Facts(), {}).series.empty());
}

}  // namespace
}  // namespace windowkv::client
