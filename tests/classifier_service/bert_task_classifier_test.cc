#include "classifier_service/bert_task_classifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/base/monotonic_clock.h"
#include "tests/engine/weights/test_files.h"

namespace windowkv {
namespace {

using testing::AllOf;
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

nlohmann::json ReadJson(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
}

std::vector<GoldenText> ReadGoldenTexts() {
  const nlohmann::json document = ReadJson(SourceDir() + "/tests/golden/data/classifier.json");
  const nlohmann::json config =
      ReadJson(SourceDir() + "/deploy/models/task_classifier/config.json");
  const double temperature = config["temperature"];
  std::vector<GoldenText> texts;
  for (const auto& entry : document["cases"]) {
    const double difference =
        (entry["logits"][1].get<double>() - entry["logits"][0].get<double>()) / temperature;
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

TEST(BertTaskClassifier, SaysWhichCharactersItRead) {
  const auto classifier = LoadShipped(EncoderDtype::kFloat32);
  const ReadText whole = classifier->Read("Où est la gare\u00a0? ");
  ASSERT_EQ(whole.read.size(), 1);
  EXPECT_EQ(whole.read[0].begin, 0);
  EXPECT_EQ(whole.read[0].end, 17);
  // 600 words of a piece and three characters each, the last one with its space.
  std::string text;
  for (int i = 0; i < 600; ++i) text += "né ";
  const ReadText ends = classifier->Read(text);
  ASSERT_EQ(ends.read.size(), 2);
  EXPECT_EQ(ends.read[0].begin, 0);
  EXPECT_EQ(ends.read[0].end, 255 * 3 - 1);
  EXPECT_EQ(ends.read[1].begin, 345 * 3);
  EXPECT_EQ(ends.read[1].end, 1800);
  const ReadText nothing = classifier->Read(" ");
  ASSERT_EQ(nothing.read.size(), 1);
  EXPECT_EQ(nothing.read[0].end, 1);
  EXPECT_EQ(nothing.unfamiliar, 0);
}

TEST(BertTaskClassifier, DoesNotDecideTextsInOtherLetters) {
  const auto classifier = LoadShipped(EncoderDtype::kFloat32);
  const std::vector<std::string> foreign = {
      "В каком году был построен мост? Ответьте одним числом: 1894 или 1902.",
      "请总结以下会议记录。",
      "아래 글을 한 문장으로 요약하세요.",
      "ما هي عاصمة البرتغال؟",
      "日本語のテキスト",
      "\u2603\u2603\u2603"};
  const auto decisions = Classify(*classifier, foreign);
  ASSERT_TRUE(decisions.ok()) << decisions.status();
  for (size_t i = 0; i < foreign.size(); ++i) {
    const TaskDecision& decision = (*decisions)[i];
    EXPECT_GE(decision.unfamiliar, kUndecidedFrom) << foreign[i];
    EXPECT_EQ(decision.confidence, 0.5F) << foreign[i];
    for (const auto& entry : decision.probabilities) EXPECT_EQ(entry.probability, 0.5F);
  }
}

TEST(BertTaskClassifier, DecidesTextsWithSomeForeignWords) {
  const auto classifier = LoadShipped(EncoderDtype::kFloat32);
  const auto decisions = Classify(
      *classifier, {"The constant π and the angle θ occur in Ελλάδα's oldest text. When was it "
                    "written? Answer with the year only.",
                    "Wann wurde die Brücke eröffnet? Antworten Sie nur mit der Jahreszahl."});
  ASSERT_TRUE(decisions.ok()) << decisions.status();
  EXPECT_GT((*decisions)[0].unfamiliar, 0);
  EXPECT_LT((*decisions)[0].unfamiliar, kUndecidedFrom);
  EXPECT_GT((*decisions)[0].confidence, 0.5F);
  EXPECT_EQ((*decisions)[1].unfamiliar, 0);
}

TEST(BertTaskClassifier, ReadsAHundredMegabytesAtTheirEndsOnly) {
  const auto classifier = LoadShipped(EncoderDtype::kFloat32);
  const std::string sentence = "The ferry to Marrow Island leaves at ten past seven. ";
  std::string text;
  text.reserve(100'000'000);
  while (text.size() + sentence.size() <= 100'000'000) text += sentence;
  const absl::Duration began = MonotonicNow();
  const ReadText read = classifier->Read(text);
  EXPECT_LT(MonotonicNow() - began,
            absl::Seconds(3));  // it takes milliseconds, reading all ten seconds
  EXPECT_TRUE(read.truncated);
  EXPECT_EQ(read.ids.size(), 512);
  EXPECT_EQ(read.read.back().end, text.size());
}

TEST(BertTaskClassifier, AHeadMayHaveOtherInputsLabelsAndTemperature) {
  for (const char* name : {"bert_tiny_cls", "bert_tiny_mean", "bert_tiny_pth"}) {
    const std::string dir = SourceDir() + "/tests/golden/data/" + name;
    const auto classifier = LoadBertTaskClassifier({.model_dir = dir});
    ASSERT_TRUE(classifier.ok()) << classifier.status();
    const nlohmann::json config = ReadJson(dir + "/config.json");
    const double temperature = config["temperature"];
    const bool localization_first = config["id2label"]["0"] == "localization";
    const nlohmann::json golden = ReadJson(dir + "/golden.json");
    for (const auto& entry : golden["cases"]) {
      if (!entry.contains("text")) continue;
      const auto decisions = Classify(**classifier, {entry["text"]});
      ASSERT_TRUE(decisions.ok()) << decisions.status();
      const double difference =
          (entry["logits"][1].get<double>() - entry["logits"][0].get<double>()) / temperature;
      const auto& first = (*decisions)[0].probabilities[0];
      EXPECT_EQ(first.task, localization_first ? Task::kLocalization : Task::kAggregation) << name;
      if ((*decisions)[0].unfamiliar >= kUndecidedFrom) continue;
      EXPECT_NEAR(first.probability, 1 / (1 + std::exp(difference)), 1e-4) << name;
    }
  }
}

// A copy of a small checkpoint's files.
std::string CopyOfTiny(const std::string& name = "bert_tiny") {
  std::string dir = FreshTestDir();
  for (const auto& file :
       std::filesystem::directory_iterator(SourceDir() + "/tests/golden/data/" + name)) {
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

TEST(BertTaskClassifier, TheSmallestTemperatureLeavesProbabilities) {
  const std::string dir = CopyOfTiny();
  nlohmann::json config = ReadJson(dir + "/config.json");
  config["temperature"] = 1e-300;
  WriteFile(dir + "/config.json", config.dump());
  const auto classifier = LoadBertTaskClassifier({.model_dir = dir});
  ASSERT_TRUE(classifier.ok()) << classifier.status();
  const auto decisions = Classify(**classifier, {"The cat sat on the dog."});
  ASSERT_TRUE(decisions.ok()) << decisions.status();
  EXPECT_EQ((*decisions)[0].confidence, 1);
}

TEST(BertTaskClassifier, PositionsOverFiveHundredTwelveAreNotUsed) {
  const auto classifier = LoadBertTaskClassifier({.model_dir = CopyOfTiny("bert_tiny_mean")});
  ASSERT_TRUE(classifier.ok()) << classifier.status();
  EXPECT_EQ((*classifier)->Read(std::string(1000, '.')).ids.size(), 512);
}

TEST(BertTaskClassifier, APoolerIsNeededOnlyWhereItIsRead) {
  const std::string dir = CopyOfTiny();
  std::filesystem::copy_file(SourceDir() + "/tests/golden/data/bert_tiny_cls/model.safetensors",
                             dir + "/model.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  nlohmann::json config = ReadJson(SourceDir() + "/tests/golden/data/bert_tiny_cls/config.json");
  config["classifier_input"] = "pooler";
  WriteFile(dir + "/config.json", config.dump());
  const absl::Status no_pooler = LoadBertTaskClassifier({.model_dir = dir}).status();
  EXPECT_EQ(no_pooler.code(), absl::StatusCode::kNotFound) << no_pooler;
  EXPECT_THAT(std::string(no_pooler.message()), HasSubstr("tensor \"pooler.dense.weight\""));
}

TEST(BertTaskClassifier, AMissingOrMisshapedHeadIsNamed) {
  const std::string dir = CopyOfTiny();
  const std::string path = dir + "/model.safetensors";
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // The first `from` after "classifier.weight".
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = bytes;
    const size_t at = changed.find(from, changed.find("\"classifier.weight\""));
    EXPECT_NE(at, std::string::npos);
    WriteFile(path, changed.replace(at, from.size(), to));
    return LoadBertTaskClassifier({.model_dir = dir}).status();
  };
  const absl::Status missing = with("\"classifier.weight\"", "\"classifier.wright\"");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound) << missing;
  EXPECT_THAT(std::string(missing.message()), HasSubstr("tensor \"classifier.weight\""));
  const absl::Status misshaped = with("[2,24]", "[24,2]");
  EXPECT_EQ(misshaped.code(), absl::StatusCode::kDataLoss) << misshaped;
  EXPECT_THAT(std::string(misshaped.message()),
              AllOf(HasSubstr("classifier.weight"), HasSubstr("expected shape [2, 24]"),
                    HasSubstr("found [24, 2]")));
}

TEST(BertTaskClassifier, AVocabularyWithoutTheUnknownPieceIsRefused) {
  const std::string dir = CopyOfTiny();
  WriteFile(dir + "/vocab.txt", "[PAD]\n[CLS]\n[SEP]\na\n");
  const absl::Status status = LoadBertTaskClassifier({.model_dir = dir}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("vocab.txt: expected a line [UNK]"));
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
