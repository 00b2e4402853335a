#include <httplib.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/integration/running_servers.h"

namespace windowkv::testing {
namespace {

std::string ReadExample(const std::string& name) {
  std::ifstream file(absl::StrCat(std::getenv("WINDOWKV_SOURCE_DIR"), "/tests/golden/data/", name));
  return {std::istreambuf_iterator<char>(file), {}};
}

// What a call came to.
struct Answer {
  std::string text;
  v1::TaskVerdict task;
  v1::Finished finished;
};

// The example question over the example document, asked of three processes through the router by
// the command line client.
class QuestionAnsweringTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto servers = RunningServers::Start();
    ASSERT_TRUE(servers.ok()) << servers.status();
    servers_ = *std::move(servers);
    std::string document = ReadExample("example_document.txt");
    ASSERT_FALSE(document.empty());
    document.pop_back();  // the file's last line end
    const auto question = nlohmann::json::parse(ReadExample("example_question.json"));
    prompt_ = absl::StrCat(document, "\n\n", question["question"].get<std::string>());
    expected_ = question["answer"].get<std::string>();
  }

  void Ask(const std::vector<std::string>& cache_flags, Answer* answer) {
    std::vector<std::string> arguments = {
        "generate",      "--target", servers_.router.grpc, "--chat", "--prompt", prompt_,
        "--temperature", "0",        "--max-tokens",       "32",     "--json"};
    arguments.insert(arguments.end(), cache_flags.begin(), cache_flags.end());
    auto client = StartClient(arguments);
    ASSERT_TRUE(client.ok()) << client.status();
    const auto lines = (*client)->ReadLines(kPatience);
    ASSERT_TRUE(lines.ok()) << lines.status();
    const auto code = (*client)->Wait(kPatience);
    ASSERT_TRUE(code.ok()) << code.status();
    ASSERT_EQ(*code, 0) << (*client)->Errors();
    for (const std::string& line : *lines) {
      const auto message = ParseMessage(line);
      ASSERT_TRUE(message.ok()) << message.status();
      if (message->has_accepted()) answer->task = message->accepted().task();
      if (message->has_chunk()) answer->text += message->chunk().text();
      if (message->has_finished()) answer->finished = message->finished();
    }
  }

  // windowkv_kv_saved_bytes_total of the generation server, all policies and tasks; -1 when it is
  // not there.
  double SavedBytesMetric() {
    const auto page = httplib::Client("http://" + servers_.generation.http).Get("/metrics");
    if (!page || page->status != 200) return -1;
    double saved = -1;
    for (absl::string_view line : absl::StrSplit(page->body, '\n')) {
      double value = 0;
      if (absl::StartsWith(line, "windowkv_kv_saved_bytes_total{") &&
          absl::SimpleAtod(line.substr(line.rfind(' ') + 1), &value)) {
        saved = std::max(saved, 0.0) + value;
      }
    }
    return saved;
  }

  RunningServers servers_;
  std::string prompt_;
  std::string expected_;
};

TEST_F(QuestionAnsweringTest, AnswersFromTheFullCache) {
  Answer answer;
  ASSERT_NO_FATAL_FAILURE(Ask({"--policy", "full"}, &answer));
  EXPECT_EQ(answer.text, expected_);
  EXPECT_EQ(answer.finished.finish_reason(), v1::FINISH_REASON_STOP);
  EXPECT_GT(answer.finished.usage().prompt_tokens(), 6000);
  const v1::Receipt& receipt = answer.finished.receipt();
  EXPECT_EQ(receipt.policy(), v1::CACHE_POLICY_FULL);
  EXPECT_EQ(receipt.bytes_kept(), receipt.bytes_full());
}

TEST_F(QuestionAnsweringTest, AnswersFromThreePercentOfTheCache) {
  Answer answer;
  ASSERT_NO_FATAL_FAILURE(Ask({"--policy", "windowkv", "--budget-tokens", "256"}, &answer));
  EXPECT_EQ(answer.text, expected_);
  const v1::Receipt& receipt = answer.finished.receipt();
  EXPECT_EQ(receipt.policy(), v1::CACHE_POLICY_WINDOWKV);
  EXPECT_GT(receipt.bytes_kept(), 0);
  EXPECT_LT(receipt.bytes_kept(), receipt.bytes_full() * 6 / 100);
  EXPECT_LT(receipt.bytes_prefill_peak(), receipt.bytes_full());
  EXPECT_GT(receipt.groups_size(), 1);
}

TEST_F(QuestionAnsweringTest, TheRouterFindsTheTask) {
  Answer answer;
  ASSERT_NO_FATAL_FAILURE(Ask({"--policy", "windowkv", "--budget-tokens", "256"}, &answer));
  EXPECT_EQ(answer.task.task(), v1::TASK_LOCALIZATION);
  EXPECT_GT(answer.task.confidence(), 0.5F);
  EXPECT_EQ(answer.task.fallback_reason(), "");
  EXPECT_EQ(answer.finished.receipt().task(), v1::TASK_LOCALIZATION);
}

TEST_F(QuestionAnsweringTest, ATextThatComesAgainNeedsNoClassifier) {
  Answer first;
  ASSERT_NO_FATAL_FAILURE(Ask({"--policy", "windowkv", "--budget-tokens", "256"}, &first));
  servers_.classifier.process->Signal(SIGKILL);
  ASSERT_TRUE(servers_.classifier.process->Wait(kPatience).ok());
  Answer second;
  ASSERT_NO_FATAL_FAILURE(Ask({"--policy", "windowkv", "--budget-tokens", "128"}, &second));
  EXPECT_EQ(second.task.task(), first.task.task());
  EXPECT_EQ(second.task.confidence(), first.task.confidence());
  EXPECT_EQ(second.task.fallback_reason(), first.task.fallback_reason());
}

TEST_F(QuestionAnsweringTest, MetricsCountTheSavedBytes) {
  Answer answer;
  ASSERT_NO_FATAL_FAILURE(Ask({"--policy", "windowkv", "--budget-tokens", "256"}, &answer));
  const v1::Receipt& receipt = answer.finished.receipt();
  const auto saved = static_cast<double>(receipt.bytes_full() - receipt.bytes_kept());
  // The last message may reach the client a moment before the engine counts the request.
  const absl::Time deadline = absl::Now() + kPatience;
  while (SavedBytesMetric() != saved && absl::Now() < deadline) {
  }
  EXPECT_EQ(SavedBytesMetric(), saved);
}

TEST_F(QuestionAnsweringTest, GoesOnWithoutAClassifier) {
  servers_.classifier.process->Signal(SIGKILL);
  ASSERT_TRUE(servers_.classifier.process->Wait(kPatience).ok());
  Answer answer;
  ASSERT_NO_FATAL_FAILURE(Ask({"--policy", "windowkv", "--budget-tokens", "256"}, &answer));
  EXPECT_EQ(answer.text, expected_);
  EXPECT_NE(answer.finished.receipt().fallback_reason(), "");
}

}  // namespace
}  // namespace windowkv::testing
