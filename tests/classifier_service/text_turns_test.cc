#include "classifier_service/text_turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace windowkv {
namespace {

using testing::ElementsAre;

std::unique_ptr<OpenJob> JobOf(std::vector<std::string_view> texts) {
  auto job = std::make_unique<OpenJob>();
  job->job.texts = std::move(texts);
  return job;
}

// Takes every text, and says when a job left.
std::vector<std::string> TakeAll(TextTurns& turns) {
  std::vector<std::string> taken;
  while (!turns.empty()) {
    OpenJob& job = turns.Front();
    taken.emplace_back(job.job.texts[job.taken++]);
    if (turns.Pop(/*give_up=*/false) != nullptr) taken.back() += " (last)";
  }
  return taken;
}

TEST(TextTurns, CallersTakeTurnsOfOneText) {
  TextTurns turns;
  turns.Add(1, JobOf({"a0", "a1", "a2"}));
  turns.Add(2, JobOf({"b0"}));
  turns.Add(3, JobOf({"c0", "c1"}));
  EXPECT_THAT(TakeAll(turns), ElementsAre("a0", "b0 (last)", "c0", "a1", "c1 (last)", "a2 (last)"));
}

TEST(TextTurns, JobsOfOneCallerComeInTheirOrder) {
  TextTurns turns;
  turns.Add(1, JobOf({"a0"}));
  turns.Add(1, JobOf({"a1"}));
  turns.Add(2, JobOf({"b0", "b1"}));
  EXPECT_THAT(TakeAll(turns), ElementsAre("a0 (last)", "b0", "a1 (last)", "b1 (last)"));
}

TEST(TextTurns, ACallerMayComeAgain) {
  TextTurns turns;
  turns.Add(1, JobOf({"a"}));
  EXPECT_THAT(TakeAll(turns), ElementsAre("a (last)"));
  turns.Add(1, JobOf({"b"}));
  EXPECT_THAT(TakeAll(turns), ElementsAre("b (last)"));
}

TEST(TextTurns, AJobThatIsGivenUpLeavesWithItsTexts) {
  TextTurns turns;
  turns.Add(1, JobOf({"a0", "a1"}));
  turns.Add(1, JobOf({"next"}));
  EXPECT_NE(turns.Pop(/*give_up=*/true), nullptr);
  EXPECT_THAT(TakeAll(turns), ElementsAre("next (last)"));
}

}  // namespace
}  // namespace windowkv
