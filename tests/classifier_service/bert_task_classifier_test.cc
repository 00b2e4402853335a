#include "classifier_service/bert_task_classifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/engine/weights/test_files.h"

namespace windowkv {
namespace {

using testing::HasSubstr;

std::unique_ptr<TaskClassifier> LoadShipped(EncoderDtype dtype) {
  auto classifier = LoadBertTaskClassifier(
      {.model_dir = SourceDir() + "/deploy/models/task_classifier", .dtype = dtype});
  EXPECT_TRUE(classifier.ok()) << classifier.status();
  return *std::move(classifier);
}

absl::StatusOr<std::vector<TaskDecision>> Classify(const TaskClassifier& classifier,
                                                   const std::vector<std::string>& texts) {
  std::vector<ReadText> read;
  read.reserve(texts.size());
  for (const std::string& text : texts) read.push_back(classifier.Read(text));
  return classifier.Decide(read);
}

struct GoldenText {
  std::string text;
  size_t tokens;
  float localization;  // probability
};

std::vector<GoldenText> ReadGoldenTexts() {
  std::ifstream file(SourceDir() + "/tests/golden/data/classifier.json");
  const nlohmann::json document = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  std::vector<GoldenText> texts;
  for (const auto& entry : document["cases"]) {
    const double difference = entry["logits"][1].get<double>() - entry["logits"][0].get<double>();
    texts.push_back({entry["text"], entry["input_ids"].size(),
                     static_cast<float>(1 / (1 + std::exp(difference)))});
  }
  return texts;
}

std::vector<TaskDecision> ClassifyAll(const TaskClassifier& classifier,
                                      const std::vector<GoldenText>& golden) {
  std::vector<std::string> texts;
  texts.reserve(golden.size());
  for (const GoldenText& text : golden) texts.push_back(text.text);
  auto decisions = Classify(classifier, texts);
  EXPECT_TRUE(decisions.ok()) << decisions.status();
  return *std::move(decisions);
}

void ExpectDecision(const TaskDecision& decision, const GoldenText& golden, float tolerance) {
  const std::string begin = golden.text.substr(0, 60);
  EXPECT_EQ(decision.tokens_read, golden.tokens) << begin;
  ASSERT_EQ(decision.probabilities.size(), 2) << begin;
  if (decision.unfamiliar >= kUndecidedFrom) return;  // not the model's verdict
  EXPECT_EQ(decision.probabilities[0].task, Task::kLocalization) << begin;
  EXPECT_NEAR(decision.probabilities[0].probability, golden.localization, tolerance) << begin;
  EXPECT_NEAR(decision.probabilities[1].probability, 1 - golden.localization, tolerance) << begin;
  const Task expected = golden.localization > 0.5 ? Task::kLocalization : Task::kAggregation;
  EXPECT_EQ(decision.task, expected) << begin;
  EXPECT_NEAR(decision.confidence, std::max(golden.localization, 1 - golden.localization),
              tolerance)
      << begin;
}

TEST(BertTaskClassifier, DecidesAsTransformersDoesWhateverElseIsInTheCall) {
  const auto classifier = LoadShipped(EncoderDtype::kFloat32);
  const std::vector<GoldenText> golden = ReadGoldenTexts();
  ASSERT_FALSE(golden.empty());
  const std::vector<TaskDecision> decisions = ClassifyAll(*classifier, golden);
  ASSERT_EQ(decisions.size(), golden.size());
  for (size_t i = 0; i < golden.size(); ++i) ExpectDecision(decisions[i], golden[i], 1e-4F);
}

TEST(BertTaskClassifier, DecidesTheSameInBfloat16) {
  const auto classifier = LoadShipped(EncoderDtype::kBfloat16);
  const std::vector<GoldenText> golden = ReadGoldenTexts();
  ASSERT_FALSE(golden.empty());
  const std::vector<TaskDecision> decisions = ClassifyAll(*classifier, golden);
  for (size_t i = 0; i < golden.size(); ++i) ExpectDecision(decisions[i], golden[i], 0.05F);
}

TEST(BertTaskClassifier, ReadsBothEndsOfALongText) {
  const auto classifier = LoadShipped(EncoderDtype::kFloat32);
  std::string middle;
  for (int i = 0; i < 400; ++i) middle += " river stone";
  const std::string question = "Which year did the bridge open? ";
  const std::string fits = question + middle.substr(0, 1200);
  const std::string first = question + middle + " Answer with the year only.";
  const std::string longer = question + middle + middle + " Answer with the year only.";
  const auto decisions = Classify(*classifier, {fits, first, longer});
  ASSERT_TRUE(decisions.ok()) << decisions.status();
  EXPECT_FALSE((*decisions)[0].truncated);
  EXPECT_LT((*decisions)[0].tokens_read, 512);
  EXPECT_TRUE((*decisions)[1].truncated);
  EXPECT_EQ((*decisions)[1].tokens_read, 512);
  EXPECT_TRUE((*decisions)[2].truncated);
  EXPECT_NEAR((*decisions)[1].confidence, (*decisions)[2].confidence, 1e-5);
}

// A copy of the small checkpoint's files.
std::string CopyOfTiny() {
  std::string dir = FreshTestDir();
  for (const auto& file :
       std::filesystem::directory_iterator(SourceDir() + "/tests/golden/data/bert_tiny")) {
    std::filesystem::copy_file(file.path(), dir + "/" + file.path().filename().string());
  }
  return dir;
}

TEST(BertTaskClassifier, ReadsNoMoreThanTheModelsPositions) {
  const auto classifier = LoadBertTaskClassifier({.model_dir = CopyOfTiny()});
  ASSERT_TRUE(classifier.ok()) << classifier.status();
  const std::string text(1000, '.');
  const auto decisions = Classify(**classifier, {text});
  ASSERT_TRUE(decisions.ok()) << decisions.status();
  EXPECT_EQ((*decisions)[0].tokens_read, 64);
  EXPECT_TRUE((*decisions)[0].truncated);
}

TEST(BertTaskClassifier, VocabularyLargerThanTheModelsIsRefused) {
  const std::string dir = CopyOfTiny();
  std::ofstream(dir + "/vocab.txt", std::ios::app) << "\nanother\nmore\n";
  const absl::Status status = LoadBertTaskClassifier({.model_dir = dir}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("vocab.txt: expected at most 132 pieces, config.json's vocab_size, found"));
}

TEST(BertTaskClassifier, MissingFilesAreNamed) {
  for (const std::string file : {"config.json", "vocab.txt", "model.safetensors"}) {
    const std::string dir = CopyOfTiny();
    std::filesystem::remove(std::filesystem::path(dir) / file);
    const absl::Status status = LoadBertTaskClassifier({.model_dir = dir}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(file));
  }
}

TEST(BertTaskClassifier, TruncatedWeightsAreNamed) {
  const std::string dir = CopyOfTiny();
  std::filesystem::resize_file(dir + "/model.safetensors",
                               std::filesystem::file_size(dir + "/model.safetensors") - 4);
  const absl::Status status = LoadBertTaskClassifier({.model_dir = dir}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("model.safetensors: tensor "));
}

}  // namespace
}  // namespace windowkv
