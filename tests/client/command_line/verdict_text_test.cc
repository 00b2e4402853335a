#include "client/command_line/verdict_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace windowkv::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::TaskClassification Verdict() {
  v1::TaskClassification verdict;
  verdict.set_task(v1::TASK_AGGREGATION);
  verdict.set_confidence(0.875F);
  for (const auto& [task, probability] :
       {std::pair(v1::TASK_LOCALIZATION, 0.125F), std::pair(v1::TASK_AGGREGATION, 0.875F)}) {
    verdict.add_probabilities()->set_task(task);
    verdict.mutable_probabilities()->rbegin()->set_probability(probability);
  }
  verdict.set_tokens_read(310);
  verdict.add_read()->set_end(1234);
  return verdict;
}

TEST(VerdictTextTest, ShowsTheVerdictAndThatAllWasRead) {
  EXPECT_EQ(VerdictText(Verdict(), 1234, "bert"),
            "aggregation, confidence 0.8750\n"
            "  localization   0.1250\n"
            "  aggregation    0.8750\n"
            "  read           all 1,234 characters\n"
            "  word pieces    310\n"
            "  model          bert\n");
}

TEST(VerdictTextTest, ShowsWhichPartsWereReadOfALongText) {
  v1::TaskClassification verdict = Verdict();
  verdict.set_truncated(true);
  verdict.mutable_read(0)->set_end(1310);
  verdict.add_read()->set_begin(88120);
  verdict.mutable_read(1)->set_end(90001);
  EXPECT_THAT(VerdictText(verdict, 90001, ""),
              HasSubstr("characters 0-1,310 and 88,120-90,001 of 90,001; the middle left out\n"));
}

TEST(VerdictTextTest, AServerThatNamesNoPartsStillSaysWhetherSomeWereLeftOut) {
  v1::TaskClassification verdict = Verdict();
  verdict.clear_read();
  EXPECT_THAT(VerdictText(verdict, 7, ""), HasSubstr("  read           all 7 characters\n"));
  verdict.set_truncated(true);
  EXPECT_THAT(VerdictText(verdict, 7, ""), HasSubstr("  read           the middle left out\n"));
}

TEST(VerdictTextTest, WhatTheModelDoesNotKnowIsShownWhenThereIsSome) {
  v1::TaskClassification verdict = Verdict();
  EXPECT_THAT(VerdictText(verdict, 1234, ""), Not(HasSubstr("unfamiliar")));
  verdict.set_unfamiliar(0.125F);
  EXPECT_THAT(VerdictText(verdict, 1234, ""), HasSubstr("  unfamiliar     12.5 % of them\n"));
}

TEST(VerdictTextTest, CharactersAreCodePoints) {
  EXPECT_EQ(CountCharacters(""), 0);
  EXPECT_EQ(CountCharacters("a\u00e4\u20ac\U0001f600"), 4);
}

}  // namespace
}  // namespace windowkv::client
