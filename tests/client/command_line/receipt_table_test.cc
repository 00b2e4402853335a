#include "client/command_line/receipt_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ReceiptTableTest, ShowsWhatWasKeptAndFreed) {
  const std::string table = ReceiptTable(testing::FinishedMessage().finished());
  EXPECT_THAT(table, HasSubstr("prompt 20, generated 2, ended by stop"));
  EXPECT_THAT(table, HasSubstr("windowkv, mean"));
  EXPECT_THAT(table, HasSubstr("layers 0-7     kept      5 of budget      6 (25.0 %)"));
  EXPECT_THAT(table, HasSubstr("full 4.0 KiB, kept 1.0 KiB (25.0 %), peak while reading 2.0 KiB"));
  EXPECT_THAT(table, HasSubstr("read 80 tokens/s, write 10.0 tokens/s"));
}

TEST(ReceiptTableTest, GivesTheReasonForADefaultTask) {
  v1::Finished finished = testing::FinishedMessage().finished();
  finished.mutable_receipt()->set_fallback_reason("classifier timed out");
  EXPECT_THAT(ReceiptTable(finished), HasSubstr("localization (classifier timed out)"));
}

TEST(ReceiptTableTest, AConfidenceStandsBesideTheTaskItIsOf) {
  v1::Finished finished = testing::FinishedMessage().finished();
  finished.mutable_receipt()->set_task_confidence(0.55F);
  EXPECT_THAT(ReceiptTable(finished), HasSubstr("task      localization, confidence 0.55\n"));
  const std::string reason = "low confidence: aggregation at 0.55, below 0.70";
  finished.mutable_receipt()->set_fallback_reason(reason);
  EXPECT_THAT(ReceiptTable(finished), HasSubstr("task      localization (" + reason + ")\n"));
}

TEST(ReceiptTableTest, ListsKeptRangesWhenTheyWereAskedFor) {
  v1::Finished finished = testing::FinishedMessage().finished();
  auto* range = finished.mutable_receipt()->mutable_groups(0)->add_kept_ranges();
  range->set_begin(3);
  range->set_end(8);
  EXPECT_THAT(ReceiptTable(finished), HasSubstr("[3, 8)"));
}

TEST(ReceiptTableTest, ListsKeptRangesByHeadWhereHeadsDiffer) {
  v1::Finished finished = testing::FinishedMessage().finished();
  v1::Receipt* receipt = finished.mutable_receipt();
  receipt->set_policy(v1::CACHE_POLICY_SNAPKV);
  receipt->set_strategy(v1::STRATEGY_UNSPECIFIED);
  v1::Receipt::Group* group = receipt->mutable_groups(0);
  group->set_first_layer(3);
  group->set_num_layers(1);
  for (const int begin : {3, 12}) {
    auto* ranges = group->add_kept_by_head()->mutable_ranges();
    for (const int shift : {0, 2}) {
      v1::TokenRange* range = ranges->Add();
      range->set_begin(begin + shift);
      range->set_end(begin + shift + 1);
    }
  }
  const std::string table = ReceiptTable(finished);
  EXPECT_THAT(table, HasSubstr("policy    snapkv\n"));
  EXPECT_THAT(table, HasSubstr("  layer 3        kept      5 of budget      6 (25.0 %)\n"
                               "    KV head 0 [3, 4) [5, 6)\n"
                               "    KV head 1 [12, 13) [14, 15)\n"));
}

TEST(ReceiptTableTest, BreaksLongListsOfRanges) {
  v1::Finished finished = testing::FinishedMessage().finished();
  for (int i = 0; i < 100; ++i) {
    auto* range = finished.mutable_receipt()->mutable_groups(0)->add_kept_ranges();
    range->set_begin(10 * i);
    range->set_end(10 * i + 1);
  }
  std::istringstream lines(ReceiptTable(finished));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
}

TEST(ReceiptTableTest, AnEmptyReceiptDividesByNothing) {
  const std::string table = ReceiptTable({});
  EXPECT_THAT(table, Not(HasSubstr("nan")));
  EXPECT_THAT(table, Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace windowkv::client
