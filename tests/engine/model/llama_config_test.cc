#include "engine/model/llama_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/engine/weights/test_files.h"

namespace windowkv {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json GoodConfig() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"vocab_size", 320},
          {"hidden_size", 64},
          {"intermediate_size", 128},
          {"num_hidden_layers", 3},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"max_position_embeddings", 512},
          {"rms_norm_eps", 1e-5},
          {"eos_token_id", 7}};
}

json GoodConfigWith(const json& changes) {
  json config = GoodConfig();
  config.merge_patch(changes);
  return config;
}

// A fresh model directory with this config.json.
std::string DirWith(const std::string& config) {
  std::string dir = FreshTestDir();
  WriteFile(dir + "/config.json", config);
  return dir;
}

absl::StatusOr<LlamaConfig> Load(const json& config) {
  return LoadLlamaConfig(DirWith(config.dump()));
}

TEST(LlamaConfig, ReadsTheCommittedDemoModel) {
  const auto config = LoadLlamaConfig(SourceDir() + "/deploy/models/demo_llama");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->architecture, "LlamaForCausalLM");
  EXPECT_EQ(config->vocab_size, 4096);
  EXPECT_EQ(config->hidden_size, 384);
  EXPECT_EQ(config->intermediate_size, 1024);
  EXPECT_EQ(config->num_layers, 8);
  EXPECT_EQ(config->num_heads, 6);
  EXPECT_EQ(config->num_kv_heads, 2);
  EXPECT_EQ(config->head_dim, 64);
  EXPECT_EQ(config->context_length, 8192);
  EXPECT_EQ(config->rms_norm_eps, 1e-5);
  EXPECT_EQ(config->rope.theta, 500000);
  EXPECT_EQ(config->rope.scaling, RopeConfig::Scaling::kDefault);
  EXPECT_TRUE(config->tie_word_embeddings);
  EXPECT_FALSE(config->attention_bias);
  EXPECT_FALSE(config->mlp_bias);
  EXPECT_THAT(config->eos_token_ids, ElementsAre(1, 4));
  EXPECT_EQ(config->torch_dtype, "bfloat16");
}

TEST(LlamaConfig, DerivesWhatIsLeftOut) {
  const auto config = Load(GoodConfigWith({{"num_key_value_heads", nullptr},
                                           {"max_position_embeddings", nullptr},
                                           {"rms_norm_eps", nullptr}}));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->num_kv_heads, 4);
  EXPECT_EQ(config->head_dim, 16);
  EXPECT_EQ(config->context_length, 2048);
  EXPECT_EQ(config->rms_norm_eps, 1e-6);
  EXPECT_EQ(config->rope.theta, 10000);
  EXPECT_EQ(config->torch_dtype, "");
}

TEST(LlamaConfig, HeadDimMayDifferFromHiddenSizeOverHeads) {
  const auto config = Load(GoodConfigWith(
      {{"head_dim", 32}, {"attention_bias", true}, {"mlp_bias", true}, {"dtype", "float16"}}));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->head_dim, 32);
  EXPECT_TRUE(config->attention_bias);
  EXPECT_TRUE(config->mlp_bias);
  EXPECT_EQ(config->torch_dtype, "float16");
}

TEST(LlamaConfig, NeutralValuesOfOtherArchitecturesPass) {
  EXPECT_TRUE(Load(GoodConfigWith({{"use_sliding_window", false},
                                   {"partial_rotary_factor", 1},
                                   {"logits_scaling", 1.0},
                                   {"layer_types", {"full_attention", "full_attention"}}}))
                  .ok());
}

TEST(LlamaConfig, EndOfTextIdsComeFromEitherFileAndGenerationConfigWins) {
  const std::string dir = DirWith(GoodConfigWith({{"eos_token_id", {3, 5}}}).dump());
  EXPECT_THAT(LoadLlamaConfig(dir)->eos_token_ids, ElementsAre(3, 5));
  WriteFile(dir + "/generation_config.json", R"({"do_sample": false})");
  EXPECT_THAT(LoadLlamaConfig(dir)->eos_token_ids, ElementsAre(3, 5));
  WriteFile(dir + "/generation_config.json", R"({"eos_token_id": 9})");
  EXPECT_THAT(LoadLlamaConfig(dir)->eos_token_ids, ElementsAre(9));
  WriteFile(dir + "/generation_config.json", R"({"eos_token_id": [9, 320]})");
  EXPECT_THAT(
      std::string(LoadLlamaConfig(dir).status().message()),
      HasSubstr("generation_config.json: eos_token_id: expected a token id or a list of ids "
                "in [0, 319], found [9,320]"));
}

TEST(LlamaConfig, AbsentEndOfTextIdMeansTwoAsInTransformersAndNullMeansNone) {
  json absent = GoodConfig();
  absent.erase("eos_token_id");
  EXPECT_THAT(Load(absent)->eos_token_ids, ElementsAre(2));
  json none = GoodConfig();
  none["eos_token_id"] = nullptr;
  EXPECT_THAT(Load(none)->eos_token_ids, IsEmpty());
}

TEST(LlamaConfig, LinearScalingUnderItsOldKey) {
  const auto config = Load(GoodConfigWith(
      {{"rope_theta", 50000}, {"rope_scaling", {{"type", "linear"}, {"factor", 2.5}}}}));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->rope.theta, 50000);
  EXPECT_EQ(config->rope.scaling, RopeConfig::Scaling::kLinear);
  EXPECT_EQ(config->rope.factor, 2.5);
}

const json& Llama3Scaling() {
  static const auto* const scaling = new json{{"rope_type", "llama3"},
                                              {"factor", 8.0},
                                              {"low_freq_factor", 1.5},
                                              {"high_freq_factor", 3.0},
                                              {"original_max_position_embeddings", 128}};
  return *scaling;
}

void ExpectLlama3(const absl::StatusOr<LlamaConfig>& config, double theta) {
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->rope.theta, theta);
  EXPECT_EQ(config->rope.scaling, RopeConfig::Scaling::kLlama3);
  EXPECT_EQ(config->rope.factor, 8);
  EXPECT_EQ(config->rope.low_freq_factor, 1.5);
  EXPECT_EQ(config->rope.high_freq_factor, 3);
  EXPECT_EQ(config->rope.original_max_position_embeddings, 128);
}

TEST(LlamaConfig, Llama3ScalingInBothLayouts) {
  ExpectLlama3(Load(GoodConfigWith({{"rope_theta", 5e5}, {"rope_scaling", Llama3Scaling()}})), 5e5);
  json parameters = Llama3Scaling();
  parameters["rope_theta"] = 6e5;
  ExpectLlama3(Load(GoodConfigWith({{"rope_parameters", parameters}})), 6e5);
}

// Counted by transformers: the index of the demo model's files, and Llama 3 8B.
TEST(LlamaConfig, ParametersAreCountedAsTheCheckpointHasThem) {
  const std::string dir = SourceDir() + "/deploy/models/demo_llama";
  const json index = json::parse(std::ifstream(dir + "/model.safetensors.index.json"));
  EXPECT_EQ(ParameterCount(*LoadLlamaConfig(dir)) * 2, index["metadata"]["total_size"]);
  LlamaConfig config;
  config.vocab_size = 128256;
  config.hidden_size = 4096;
  config.intermediate_size = 14336;
  config.num_layers = 32;
  config.num_heads = 32;
  config.num_kv_heads = 8;
  config.head_dim = 128;
  EXPECT_EQ(ParameterCount(config), 8'030'261'248);
  config.attention_bias = true;
  config.mlp_bias = true;
  EXPECT_EQ(ParameterCount(config),
            8'030'261'248 + 32 * (4096 + 2 * 1024 + 4096 + 2 * 14336 + 4096));
}

TEST(LlamaConfig, MissingFileIsNotFound) {
  const absl::Status status = LoadLlamaConfig(FreshTestDir()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("config.json"));
}

struct BadConfig {
  const char* name;
  std::string text;
  std::string says;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

class LlamaBadConfig : public testing::TestWithParam<BadConfig> {};

TEST_P(LlamaBadConfig, IsRefusedWithTheReason) {
  const absl::Status status = LoadLlamaConfig(DirWith(GetParam().text)).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("/config.json: "), HasSubstr(GetParam().says)));
}

BadConfig Bad(const char* name, const json& changes, const std::string& says) {
  return {name, GoodConfigWith(changes).dump(), says};
}

BadConfig Other(const char* name, const json& changes, const std::string& says) {
  return {name, GoodConfigWith(changes).dump(), says, absl::StatusCode::kUnimplemented};
}

json Rope(const json& changes) {
  json scaling = Llama3Scaling();
  scaling.merge_patch(changes);
  return {{"rope_scaling", scaling}};
}

INSTANTIATE_TEST_SUITE_P(
    BadValues, LlamaBadConfig,
    testing::Values(
        BadConfig{"Empty", "", "parse error"}, BadConfig{"BrokenJson", "{\"model_type\":", "parse"},
        BadConfig{"NotAnObject", "[]", "expected an object, found []"},
        BadConfig{"DeepNesting", std::string(100, '[') + std::string(100, ']'), "64 levels"},
        BadConfig{"KeyTwice", R"({"model_type": "llama", "model_type": "llama"})", "found twice"},
        Bad("NoModelType", {{"model_type", nullptr}}, "model_type: expected a string"),
        Bad("NoVocabSize", {{"vocab_size", nullptr}},
            "vocab_size: expected an integer in [1, 4194304], found nothing"),
        Bad("NegativeHiddenSize", {{"hidden_size", -64}},
            "hidden_size: expected an integer in [1, "),
        Bad("FractionalSize", {{"intermediate_size", 1.5}}, "found 1.5"),
        Bad("TextForNumber", {{"num_hidden_layers", "3"}},
            "num_hidden_layers: expected an integer"),
        Bad("ZeroLayers", {{"num_hidden_layers", 0}}, "found 0"),
        Bad("HugeContext", {{"max_position_embeddings", 9223372036854775807}},
            "max_position_embeddings: expected an integer in [1, 268435456]"),
        Bad("MoreKvHeadsThanHeads", {{"num_key_value_heads", 8}},
            "num_key_value_heads: expected an integer in [1, 4], found 8"),
        Bad("UnevenGroups", {{"num_key_value_heads", 3}},
            "num_key_value_heads: expected a divisor of num_attention_heads 4, found 3"),
        Bad("OddHeadDim", {{"head_dim", 15}}, "head_dim: expected an even number"),
        Bad("UnevenHiddenSize", {{"hidden_size", 66}},
            "hidden_size: expected num_attention_heads 4"),
        Bad("NegativeEps", {{"rms_norm_eps", -1}}, "rms_norm_eps: expected a number in [0, 1]"),
        Bad("TieNotBool", {{"tie_word_embeddings", 1}}, "tie_word_embeddings: expected true or"),
        Bad("NegativeEos", {{"eos_token_id", -1}}, "eos_token_id: expected a token id"),
        Bad("TextEos", {{"eos_token_id", {1, "</s>"}}}, "found [1,\"</s>\"]"),
        Bad("ZeroTheta", {{"rope_theta", 0}}, "rope_theta: expected a number in [1, "),
        Bad("ScalingNotAnObject", {{"rope_scaling", 2}},
            "rope_scaling: expected an object, found 2"),
        Bad("ScalingTwice",
            {{"rope_scaling", Llama3Scaling()}, {"rope_parameters", json::object()}},
            "rope_scaling: expected nothing beside rope_parameters"),
        Bad("LinearWithoutFactor", {{"rope_scaling", {{"type", "linear"}}}},
            "rope_scaling.factor: expected a number in [1, "),
        Bad("FactorBelowOne", Rope({{"factor", 0.5}}), "rope_scaling.factor"),
        Bad("EqualFrequencyFactors", Rope({{"high_freq_factor", 1.5}}),
            "rope_scaling.high_freq_factor: expected more than low_freq_factor, found 1.5"),
        Bad("NoOriginalLength", Rope({{"original_max_position_embeddings", nullptr}}),
            "rope_scaling.original_max_position_embeddings: expected an integer")),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    NotSupported, LlamaBadConfig,
    testing::Values(
        Other("ModelType", {{"model_type", "mistral"}},
              "model_type: expected \"llama\", found \"mistral\""),
        Other("Architecture", {{"architectures", {"LlamaForTokenClassification"}}},
              "architectures"),
        Other("Activation", {{"hidden_act", "gelu"}},
              "hidden_act: expected \"silu\", found \"gelu\""),
        Other("SlidingWindow", {{"sliding_window", 4096}},
              "sliding_window: expected null, found 4096"),
        Other("Quantization", {{"quantization_config", {{"bits", 4}}}}, "quantization_config"),
        Other("PartialRotary", {{"partial_rotary_factor", 0.5}}, "partial_rotary_factor"),
        Other("PartialRotaryInside", {{"rope_parameters", {{"partial_rotary_factor", 0.5}}}},
              "rope_parameters.partial_rotary_factor"),
        Other("LayerTypes", {{"layer_types", {"full_attention", "sliding_attention"}}},
              "layer_types: expected \"full_attention\" for every layer"),
        Other("RopeType", Rope({{"rope_type", "yarn"}}),
              "rope_scaling.rope_type: expected \"default\", \"linear\" or \"llama3\", found "
              "\"yarn\""),
        Other("OldRopeType", {{"rope_scaling", {{"type", "dynamic"}, {"factor", 2}}}},
              "rope_scaling.type")),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace windowkv
