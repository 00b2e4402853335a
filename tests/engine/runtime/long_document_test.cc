#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/runtime/engine.h"
#include "tests/testing/golden_file.h"
#include "tests/testing/last_state_metrics.h"

namespace windowkv {
namespace {

constexpr double kShareAnswered = 0.95;
constexpr int32_t kBudgetTokens = 256;

struct Question {
  std::string prompt;
  std::string answer;
};

// Documents of 6,000 to 7,900 tokens with a question each. WINDOWKV_LONG_DOCUMENTS names a file
// with more of them than the committed one (tests/golden/long_document.py --count 40).
std::vector<Question> Questions() {
  const char* path = std::getenv("WINDOWKV_LONG_DOCUMENTS");
  std::ifstream file(path == nullptr ? testing::GoldenPath("long_documents.jsonl") : path);
  std::vector<Question> questions;
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json document = nlohmann::json::parse(line);
    questions.push_back(
        {document["document"].get<std::string>() + "\n\n" + document["question"].get<std::string>(),
         document["answer"].get<std::string>()});
  }
  return questions;
}

std::string TextOf(TokenStream& stream) {
  std::string text;
  while (true) {
    const std::optional<StreamEvent> event = stream.Next();
    if (const auto* chunk = std::get_if<ChunkEvent>(&*event)) text += chunk->text;
    if (const auto* status = std::get_if<absl::Status>(&*event)) return status->ToString();
    if (IsLast(*event)) return text;
  }
}

class LongDocumentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    EngineConfig config;
    config.model_dir = testing::SourceDir() + "/deploy/models/demo_llama";
    auto engine = CreateEngine(config, &metrics_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  // Asks all questions at once; how many were answered exactly.
  size_t Answered(const std::vector<Question>& questions, const CacheOptions& cache) {
    std::vector<std::shared_ptr<TokenStream>> streams;
    for (const Question& question : questions) {
      GenerationRequest request;
      request.prompt = PromptChat{{"user", question.prompt}};
      request.sampling.max_tokens = 32;
      request.cache = cache;
      streams.push_back(*engine_->Submit(std::move(request)));
    }
    size_t right = 0;
    for (size_t i = 0; i < questions.size(); ++i) {
      right += TextOf(*streams[i]) == questions[i].answer ? 1 : 0;
    }
    return right;
  }

  static size_t Required(const std::vector<Question>& questions) {
    return static_cast<size_t>(std::ceil(kShareAnswered * static_cast<double>(questions.size())));
  }

  testing::LastStateMetrics metrics_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(LongDocumentTest, AnswersFromTheFullCache) {
  const std::vector<Question> questions = Questions();
  ASSERT_FALSE(questions.empty());
  EXPECT_GE(Answered(questions, {}), Required(questions));
}

TEST_F(LongDocumentTest, AnswersFromThreePercentOfTheCache) {
  const std::vector<Question> questions = Questions();
  ASSERT_FALSE(questions.empty());
  CacheOptions cache;
  cache.policy = CachePolicy::kWindowKv;
  cache.budget = BudgetTokens{kBudgetTokens};
  EXPECT_GE(Answered(questions, cache), Required(questions));
}

}  // namespace
}  // namespace windowkv
