#include "classifier_service/bert_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/engine/weights/test_files.h"

namespace windowkv {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

json ConfigWith(const json& changes) {
  json config = {{"model_type", "bert"},
                 {"vocab_size", 40},
                 {"hidden_size", 24},
                 {"intermediate_size", 48},
                 {"num_hidden_layers", 2},
                 {"num_attention_heads", 3},
                 {"max_position_embeddings", 64},
                 {"type_vocab_size", 2},
                 {"id2label", {{"0", "aggregation"}, {"1", "Localization"}}}};
  config.merge_patch(changes);
  return config;
}

std::string DirWith(const std::string& config) {
  std::string dir = FreshTestDir();
  WriteFile(dir + "/config.json", config);
  return dir;
}

TEST(BertConfig, ReadsTheCommittedClassifier) {
  const std::string dir = SourceDir() + "/deploy/models/task_classifier";
  const auto config = LoadBertConfig(dir);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->vocab_size, 30522);
  EXPECT_EQ(config->hidden_size, 384);
  EXPECT_EQ(config->num_layers, 6);
  EXPECT_EQ(config->head_dim, 32);
  EXPECT_EQ(config->max_positions, 512);
  EXPECT_THAT(*TasksOfLabels(*config, dir), ElementsAre(Task::kLocalization, Task::kAggregation));
}

TEST(BertConfig, LabelsMayStandInAnyOrderAndCase) {
  const std::string dir = DirWith(ConfigWith(json::object()).dump());
  EXPECT_THAT(*TasksOfLabels(*LoadBertConfig(dir), dir),
              ElementsAre(Task::kAggregation, Task::kLocalization));
}

TEST(BertConfig, HeadReadsThePooledOutputUnlessToldOtherwise) {
  const auto plain = LoadBertConfig(DirWith(ConfigWith(json::object()).dump()));
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->classifier_input, ClassifierInput::kPooler);
  EXPECT_EQ(plain->temperature, 1);
  const auto other = LoadBertConfig(
      DirWith(ConfigWith({{"classifier_input", "mean"}, {"temperature", 100}}).dump()));
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->classifier_input, ClassifierInput::kMean);
  EXPECT_EQ(other->temperature, 100);
}

struct BadLabels {
  const char* name;
  json id2label;
  std::string says;
};

class BertBadLabels : public testing::TestWithParam<BadLabels> {};

TEST_P(BertBadLabels, AreRefusedNamingThem) {
  json document = ConfigWith(json::object());
  document["id2label"] = GetParam().id2label;
  const std::string dir = DirWith(document.dump());
  const auto config = LoadBertConfig(dir);
  const absl::Status status = config.ok() ? TasksOfLabels(*config, dir).status() : config.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("config.json: id2label"), HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    All, BertBadLabels,
    testing::Values(
        BadLabels{"None", nullptr, "found []"},
        BadLabels{"Foreign", {{"0", "LABEL_0"}, {"1", "LABEL_1"}}, "found [LABEL_0, LABEL_1]"},
        BadLabels{"Same", {{"0", "aggregation"}, {"1", "aggregation"}}, "found [aggregation, "},
        BadLabels{"OnlyOne", {{"0", "aggregation"}}, "found [aggregation]"},
        BadLabels{"Three",
                  {{"0", "aggregation"}, {"1", "localization"}, {"2", "other"}},
                  "found [aggregation, localization, other]"},
        BadLabels{"Gap",
                  {{"0", "aggregation"}, {"2", "localization"}},
                  "id2label.1: expected a string, found nothing"},
        BadLabels{"NotText", {{"0", 1}, {"1", 2}}, "id2label.0: expected a string, found 1"},
        BadLabels{"List", json::array({"a"}), "expected an object"}),
    [](const auto& info) { return info.param.name; });

struct BadConfig {
  const char* name;
  std::string text;
  std::string says;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

class BertBadConfig : public testing::TestWithParam<BadConfig> {};

TEST_P(BertBadConfig, IsRefusedWithTheReason) {
  const absl::Status status = LoadBertConfig(DirWith(GetParam().text)).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("/config.json: "), HasSubstr(GetParam().says)));
}

BadConfig Bad(const char* name, const json& changes, const std::string& says) {
  return {name, ConfigWith(changes).dump(), says};
}

BadConfig Other(const char* name, const json& changes, const std::string& says) {
  return {name, ConfigWith(changes).dump(), says, absl::StatusCode::kUnimplemented};
}

INSTANTIATE_TEST_SUITE_P(
    All, BertBadConfig,
    testing::Values(
        BadConfig{"BrokenJson", "{", "parse error"},
        BadConfig{"NotAnObject", "[1]", "expected an object, found [1]"},
        BadConfig{"DeepNesting", std::string(1000, '['), "64 levels"},
        Bad("NoVocabSize", {{"vocab_size", nullptr}}, "vocab_size: expected an integer"),
        Bad("NegativeLayers", {{"num_hidden_layers", -1}}, "num_hidden_layers"),
        Bad("UnevenHeads", {{"num_attention_heads", 5}},
            "hidden_size: expected a multiple of num_attention_heads 5, found 24"),
        Bad("NoRoomForAPiece", {{"max_position_embeddings", 2}},
            "max_position_embeddings: expected an integer in [3, "),
        Bad("ClassifierInput", {{"classifier_input", "max"}},
            "classifier_input: expected \"pooler\", \"cls\" or \"mean\", found \"max\""),
        Bad("ClassifierInputNotText", {{"classifier_input", 1}}, "classifier_input"),
        Bad("NoTemperature", {{"temperature", 0}},
            "temperature: expected a number above 0, found 0"),
        Bad("NegativeTemperature", {{"temperature", -1}},
            "temperature: expected a number in [0, 100]"),
        Bad("HighTemperature", {{"temperature", 100.5}}, "found 100.5"),
        Bad("NegativeEps", {{"layer_norm_eps", -1e-12}}, "layer_norm_eps"),
        Other("ModelType", {{"model_type", "roberta"}}, "model_type: expected \"bert\", found"),
        Other("Activation", {{"hidden_act", "relu"}}, "hidden_act: expected \"gelu\""),
        Other("Positions", {{"position_embedding_type", "relative_key"}},
              "position_embedding_type: expected \"absolute\""),
        Other("Decoder", {{"is_decoder", true}}, "is_decoder: expected false, found true"),
        Other("Quantized", {{"quantization_config", {{"bits", 8}}}}, "quantization_config")),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace windowkv
