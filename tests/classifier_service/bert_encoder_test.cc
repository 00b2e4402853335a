#include "classifier_service/bert_encoder.h"

#include <ATen/ops/linear.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "engine/weights/checkpoint.h"
#include "tests/engine/weights/test_files.h"

namespace windowkv {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr float kTolerance = 1e-4F;

struct GoldenCase {
  std::vector<int32_t> input_ids;
  std::vector<float> logits;
};

std::vector<GoldenCase> ReadGolden(const std::string& path) {
  std::ifstream file(path);
  const nlohmann::json document = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  std::vector<GoldenCase> cases;
  for (const auto& entry : document["cases"]) {
    cases.push_back({entry["input_ids"], entry["logits"]});
  }
  return cases;
}

// Encoder and head of a checkpoint, in float32.
struct Model {
  BertEncoder encoder;
  at::Tensor head_weight;
  at::Tensor head_bias;

  at::Tensor Logits(const std::vector<std::span<const int32_t>>& sequences) const {
    return at::linear(encoder.Encode(sequences), head_weight, head_bias);
  }
};

absl::StatusOr<BertEncoder> LoadEncoder(const std::string& dir) {
  const auto config = LoadBertConfig(dir);
  if (!config.ok()) return config.status();
  const auto checkpoint = Checkpoint::Open(dir);
  if (!checkpoint.ok()) return checkpoint.status();
  return BertEncoder::Load(*checkpoint, *config, at::kFloat);
}

Model LoadModel(const std::string& dir) {
  const auto checkpoint = Checkpoint::Open(dir);
  const auto config = LoadBertConfig(dir);
  return {*LoadEncoder(dir),
          *checkpoint->Load("classifier.weight", {2, config->hidden_size}, at::kFloat),
          *checkpoint->Load("classifier.bias", {2}, at::kFloat)};
}

void ExpectRow(const at::Tensor& logits, int64_t row, const GoldenCase& golden) {
  for (size_t label = 0; label < golden.logits.size(); ++label) {
    EXPECT_NEAR(logits[row][static_cast<int64_t>(label)].item<float>(), golden.logits[label],
                kTolerance)
        << "case " << row << ", label " << label;
  }
}

struct GoldenModel {
  const char* name;
  const char* dir;
  const char* golden;
};

class BertGolden : public testing::TestWithParam<GoldenModel> {
 protected:
  const Model model_ = LoadModel(SourceDir() + GetParam().dir);
  const std::vector<GoldenCase> cases_ = ReadGolden(SourceDir() + GetParam().golden);
};

TEST_P(BertGolden, LogitsEqualTransformersOneByOne) {
  ASSERT_FALSE(cases_.empty());
  for (const GoldenCase& golden : cases_) {
    ExpectRow(model_.Logits({golden.input_ids}), 0, golden);
  }
}

TEST_P(BertGolden, CompanyChangesNothing) {
  ASSERT_FALSE(cases_.empty());
  std::vector<std::span<const int32_t>> sequences(4);
  for (size_t begin = 0; begin + 4 <= cases_.size(); begin += 4) {
    for (size_t i = 0; i < 4; ++i) sequences[i] = cases_[begin + i].input_ids;
    const at::Tensor logits = model_.Logits(sequences);
    for (size_t i = 0; i < 4; ++i) {
      ExpectRow(logits, static_cast<int64_t>(i), cases_[begin + i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BertGolden,
    testing::Values(GoldenModel{"TaskClassifier", "/deploy/models/task_classifier",
                                "/tests/golden/data/classifier.json"},
                    GoldenModel{"BertTiny", "/tests/golden/data/bert_tiny",
                                "/tests/golden/data/bert_tiny/golden.json"},
                    GoldenModel{"FirstToken", "/tests/golden/data/bert_tiny_cls",
                                "/tests/golden/data/bert_tiny_cls/golden.json"},
                    GoldenModel{"MeanOfTokens", "/tests/golden/data/bert_tiny_mean",
                                "/tests/golden/data/bert_tiny_mean/golden.json"},
                    GoldenModel{"ConvertedHead", "/tests/golden/data/bert_tiny_pth",
                                "/tests/golden/data/bert_tiny_pth/golden.json"}),
    [](const auto& info) { return info.param.name; });

struct Replacement {
  std::string from;
  std::string to;  // of the same length
};

// A copy of the small checkpoint with names replaced in its header.
std::string CopyRenamed(const std::vector<Replacement>& replacements) {
  std::string dir = FreshTestDir();
  const std::string source = SourceDir() + "/tests/golden/data/bert_tiny";
  std::filesystem::copy_file(source + "/config.json", dir + "/config.json");
  std::ifstream file(source + "/model.safetensors", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (const auto& [from, to] : replacements) {
    for (size_t at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + 1)) {
      bytes.replace(at, from.size(), to);
    }
  }
  WriteFile(dir + "/model.safetensors", bytes);
  return dir;
}

// JSON allows the white space that makes up for a shorter name.
TEST(BertEncoder, NamesMayLackThePrefix) {
  const auto encoder = LoadEncoder(CopyRenamed({{"\"bert.", "     \""}}));
  EXPECT_TRUE(encoder.ok()) << encoder.status();
}

TEST(BertEncoder, NormsMayHaveTheNamesOfTensorFlow) {
  const auto encoder = LoadEncoder(CopyRenamed({{"LayerNorm.weight\":", "LayerNorm.gamma\" :"},
                                                {"LayerNorm.bias\":", "LayerNorm.beta\":"}}));
  EXPECT_TRUE(encoder.ok()) << encoder.status();
}

TEST(BertEncoder, MissingTensorIsNamed) {
  const auto encoder =
      LoadEncoder(CopyRenamed({{"layer.1.output.dense.bias", "layer.1.output.dense.bill"}}));
  EXPECT_EQ(encoder.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(encoder.status().message()),
              HasSubstr("tensor \"bert.encoder.layer.1.output.dense.bias\""));
}

TEST(BertEncoder, MisshapedTensorIsNamed) {
  const std::string dir = CopyRenamed({});
  std::ifstream file(dir + "/config.json");
  nlohmann::json config = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  const int vocab_size = config["vocab_size"];
  config["vocab_size"] = vocab_size + 1;
  WriteFile(dir + "/config.json", config.dump());
  const auto encoder = LoadEncoder(dir);
  EXPECT_EQ(encoder.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(encoder.status().message()),
              AllOf(HasSubstr("model.safetensors: tensor "), HasSubstr("word_embeddings.weight"),
                    HasSubstr("expected shape [" + std::to_string(vocab_size + 1)),
                    HasSubstr("found [" + std::to_string(vocab_size))));
}

}  // namespace
}  // namespace windowkv
