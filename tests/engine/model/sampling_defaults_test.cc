#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/model/llama_config.h"
#include "tests/engine/weights/test_files.h"

namespace windowkv {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr SamplingLimits kLimits = {.vocab_size = 100, .context_length = 1000};

absl::StatusOr<SamplingParams> Load(const std::string& generation_config) {
  const std::string dir = FreshTestDir();
  WriteFile(dir + "/generation_config.json", generation_config);
  return LoadSamplingDefaults(dir, kLimits);
}

TEST(SamplingDefaults, AreGreedyWithoutTheFile) {
  const auto params = LoadSamplingDefaults(FreshTestDir(), kLimits);
  ASSERT_TRUE(params.ok()) << params.status();
  EXPECT_EQ(params->temperature, 0);
  EXPECT_EQ(params->max_tokens, SamplingParams().max_tokens);
}

TEST(SamplingDefaults, IgnoreSamplingValuesUnlessTheModelSamples) {
  const auto params = Load(
      R"({"do_sample": false, "temperature": 0.6, "top_p": 0.5, "top_k": 5, "max_new_tokens": 32})");
  ASSERT_TRUE(params.ok()) << params.status();
  EXPECT_EQ(params->temperature, 0);
  EXPECT_EQ(params->top_p, 1);
  EXPECT_EQ(params->top_k, 0);
  EXPECT_EQ(params->max_tokens, 32);
}

TEST(SamplingDefaults, TakeTheFilesValuesWhenTheModelSamples) {
  const auto params =
      Load(R"({"do_sample": true, "temperature": 0.6, "top_p": 0.9, "top_k": 40, "min_p": 0.05,
               "repetition_penalty": 1.1, "min_new_tokens": 2, "bos_token_id": 1})");
  ASSERT_TRUE(params.ok()) << params.status();
  EXPECT_FLOAT_EQ(params->temperature, 0.6F);
  EXPECT_FLOAT_EQ(params->top_p, 0.9F);
  EXPECT_EQ(params->top_k, 40);
  EXPECT_FLOAT_EQ(params->min_p, 0.05F);
  EXPECT_FLOAT_EQ(params->repetition_penalty, 1.1F);
  EXPECT_EQ(params->min_tokens, 2);
}

TEST(SamplingDefaults, SamplingWithoutATemperatureMeansOne) {
  EXPECT_EQ(Load(R"({"do_sample": true})")->temperature, 1);
}

TEST(SamplingDefaults, AreCutToWhatARequestMayAskOfTheModel) {
  const auto params =
      Load(R"({"do_sample": true, "top_k": 101, "max_new_tokens": 1001, "min_new_tokens": 1001})");
  ASSERT_TRUE(params.ok()) << params.status();
  EXPECT_EQ(params->top_k, 100);
  EXPECT_EQ(params->max_tokens, 1000);
  EXPECT_EQ(params->min_tokens, 1000);
  EXPECT_EQ(
      LoadSamplingDefaults(FreshTestDir(), {.vocab_size = 100, .context_length = 20})->max_tokens,
      20);
}

struct BadDefaults {
  const char* name;
  const char* text;
  const char* says;
};

class SamplingBadDefaults : public testing::TestWithParam<BadDefaults> {};

TEST_P(SamplingBadDefaults, AreRefusedNamingFileAndKey) {
  const absl::Status status = Load(GetParam().text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("/generation_config.json: "), HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    All, SamplingBadDefaults,
    testing::Values(
        BadDefaults{"BrokenJson", "{", "parse error"},
        BadDefaults{"NotAnObject", "3", "expected an object, found 3"},
        BadDefaults{"SampleNotBool", R"({"do_sample": 1})", "do_sample: expected true or false"},
        BadDefaults{"Temperature", R"({"do_sample": true, "temperature": -0.1})",
                    "temperature: expected a number in [0, 100], found -0.1"},
        BadDefaults{"TopP", R"({"do_sample": true, "top_p": 0})", "top_p: expected a number in"},
        BadDefaults{"TopK", R"({"do_sample": true, "top_k": -1})", "top_k: expected an integer in"},
        BadDefaults{"MinP", R"({"do_sample": true, "min_p": 1.5})", "min_p"},
        BadDefaults{"Penalty", R"({"repetition_penalty": 0})", "repetition_penalty"},
        BadDefaults{"MaxTokens", R"({"max_new_tokens": 0})", "max_new_tokens"},
        BadDefaults{"MinTokens", R"({"max_new_tokens": 4, "min_new_tokens": 5})",
                    "min_new_tokens: expected an integer in [0, 4], found 5"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace windowkv
