#include "client/command_line/receipt_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(ReceiptTableTest, ListsKeptRangesWhenTheyWereAskedFor) {
  v1::Finished finished = testing::FinishedMessage().finished();
  auto* range = finished.mutable_receipt()->mutable_groups(0)->add_kept_ranges();
  range->set_begin(3);
  range->set_end(8);
  EXPECT_THAT(ReceiptTable(finished), HasSubstr("[3, 8)"));
}

TEST(ReceiptTableTest, AnEmptyReceiptDividesByNothing) {
  const std::string table = ReceiptTable({});
  EXPECT_THAT(table, Not(HasSubstr("nan")));
  EXPECT_THAT(table, Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace windowkv::client
