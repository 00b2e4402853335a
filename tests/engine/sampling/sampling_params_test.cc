#include "engine/sampling/sampling_params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/base/status.h"

namespace windowkv {
namespace {

constexpr SamplingLimits kLimits{.vocab_size = 100, .context_length = 64};
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Case {
  std::string field;  // empty: allowed
  std::function<void(SamplingParams&)> change;
};

void ExpectVerdicts(const std::vector<Case>& cases) {
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + " " + cases[i].field);
    SamplingParams params;
    params.max_tokens = 32;
    cases[i].change(params);
    const absl::Status status = ValidateSamplingParams(params, kLimits);
    if (cases[i].field.empty()) {
      EXPECT_TRUE(status.ok()) << status;
      continue;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(FieldOf(status), cases[i].field);
  }
}

// Allowed and refused values of one float field.
void ExpectFloatField(const std::string& field, float SamplingParams::*member,
                      const std::vector<float>& allowed, std::vector<float> refused) {
  refused.insert(refused.end(), {kNan, kInfinity, -kInfinity});
  std::vector<Case> cases;
  for (float value : allowed) {
    cases.push_back({"", [member, value](SamplingParams& p) { p.*member = value; }});
  }
  for (float value : refused) {
    cases.push_back({field, [member, value](SamplingParams& p) { p.*member = value; }});
  }
  ExpectVerdicts(cases);
}

TEST(SamplingParamsTest, DefaultsAreAllowed) {
  EXPECT_TRUE(ValidateSamplingParams({}, {.vocab_size = 2, .context_length = 256}).ok());
}

TEST(SamplingParamsTest, FloatsMustBeNumbersWithinTheirRanges) {
  using P = SamplingParams;
  const float above_one = std::nextafter(1.0f, 2.0f);
  ExpectFloatField("sampling.temperature", &P::temperature, {0, 0.7f, 100}, {-1e-9f, 100.01f});
  ExpectFloatField("sampling.top_p", &P::top_p, {1e-9f, 1}, {0, -1, above_one});
  ExpectFloatField("sampling.min_p", &P::min_p, {0, 1}, {-1e-9f, above_one});
  ExpectFloatField("sampling.repetition_penalty", &P::repetition_penalty, {1e-3f, 10},
                   {0, -1, 10.01f});
  ExpectFloatField("sampling.presence_penalty", &P::presence_penalty, {-10, 10}, {-10.01f, 10.01f});
  ExpectFloatField("sampling.frequency_penalty", &P::frequency_penalty, {-10, 10},
                   {-10.01f, 10.01f});
}

TEST(SamplingParamsTest, CountsMustBeWithinTheirRanges) {
  ExpectVerdicts({
      {"", [](auto& p) { p.top_k = 100; }},
      {"sampling.top_k", [](auto& p) { p.top_k = 101; }},
      {"sampling.top_k", [](auto& p) { p.top_k = -1; }},
      {"", [](auto& p) { p.max_tokens = 1; }},
      {"", [](auto& p) { p.max_tokens = 64; }},
      {"sampling.max_tokens", [](auto& p) { p.max_tokens = 65; }},
      {"sampling.max_tokens", [](auto& p) { p.max_tokens = 0; }},
      {"", [](auto& p) { p.min_tokens = 32; }},
      {"sampling.min_tokens", [](auto& p) { p.min_tokens = 33; }},
      {"sampling.min_tokens", [](auto& p) { p.min_tokens = -1; }},
      {"", [](auto& p) { p.logprobs = 0; }},
      {"", [](auto& p) { p.logprobs = 20; }},
      {"sampling.logprobs", [](auto& p) { p.logprobs = 21; }},
      {"sampling.logprobs", [](auto& p) { p.logprobs = -1; }},
  });
}

TEST(SamplingParamsTest, StopsMustBeFewShortAndNotEmpty) {
  ExpectVerdicts({
      {"", [](auto& p) { p.stop.assign(16, std::string(256, 's')); }},
      {"sampling.stop", [](auto& p) { p.stop.assign(17, "s"); }},
      {"sampling.stop[1]",
       [](auto& p) {
         p.stop = {"a", ""};
       }},
      {"sampling.stop[0]", [](auto& p) { p.stop = {std::string(257, 's')}; }},
      {"", [](auto& p) { p.stop_token_ids.assign(16, 99); }},
      {"sampling.stop_token_ids", [](auto& p) { p.stop_token_ids.assign(17, 1); }},
      {"sampling.stop_token_ids[0]", [](auto& p) { p.stop_token_ids = {100}; }},
      {"sampling.stop_token_ids[1]",
       [](auto& p) {
         p.stop_token_ids = {0, -1};
       }},
  });
}

TEST(SamplingParamsTest, LogitBiasesMustBeFewFiniteAndOfTheVocabulary) {
  const SamplingLimits wide{.vocab_size = 1000, .context_length = 64};
  SamplingParams params;
  params.max_tokens = 1;
  for (int32_t id = 0; id < 300; ++id) params.logit_bias[id] = 1;
  EXPECT_TRUE(ValidateSamplingParams(params, wide).ok());
  params.logit_bias[300] = 1;
  EXPECT_EQ(FieldOf(ValidateSamplingParams(params, wide)), "sampling.logit_bias");
  ExpectVerdicts({
      {"",
       [](auto& p) {
         p.logit_bias = {{0, -100}, {99, 100}};
       }},
      {"sampling.logit_bias[100]", [](auto& p) { p.logit_bias[100] = 0; }},
      {"sampling.logit_bias[-1]", [](auto& p) { p.logit_bias[-1] = 0; }},
      {"sampling.logit_bias[3]", [](auto& p) { p.logit_bias[3] = 100.1f; }},
      {"sampling.logit_bias[3]", [](auto& p) { p.logit_bias[3] = kNan; }},
      {"sampling.logit_bias[3]", [](auto& p) { p.logit_bias[3] = -kInfinity; }},
  });
}

TEST(SamplingParamsTest, MessagesSayTheValueAndTheRange) {
  SamplingParams params;
  params.top_p = 1.5f;
  EXPECT_EQ(ValidateSamplingParams(params, kLimits).message(),
            "sampling.top_p is 1.5, must be in (0, 1]");
  params.top_p = 1;
  params.top_k = 500;
  EXPECT_EQ(ValidateSamplingParams(params, kLimits).message(),
            "sampling.top_k is 500, must be in [0, 100]");
}

}  // namespace
}  // namespace windowkv
