#include "server/generation/request_log.h"

#include <algorithm>
#include <string>

#include "engine/base/monotonic_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace windowkv {
namespace {

using ::testing::HasSubstr;

class RequestLogTest : public ::testing::Test {
 protected:
  // What `log` writes to standard error in the course of a request that ends well.
  static std::string LinesOf(const FinishedEvent& end) {
    const Logger logger = *Logger::Create("windowkv-test", "info");
    const RequestLog log(logger, "r1", MonotonicNow());
    ::testing::internal::CaptureStderr();
    log.OnAccepted(AcceptedEvent{});
    log.OnFinished(end);
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(RequestLogTest, OneLineAtInfoExplainsASlowRequest) {
  FinishedEvent end;
  end.reason = FinishReason::kLength;
  end.usage.prompt_tokens = 8000;
  end.usage.queued = absl::Milliseconds(250);
  end.usage.prefill = absl::Milliseconds(1500);
  end.usage.decode = absl::Milliseconds(500);
  end.usage.time_to_first_token = absl::Milliseconds(1750);
  end.receipt.policy = CachePolicy::kWindowKv;
  end.receipt.task = {.task = Task::kAggregation, .confidence = 0.5, .fallback_reason = ""};
  end.receipt.bytes_full = 1000;
  end.receipt.bytes_kept = 30;
  const std::string lines = LinesOf(end);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1) << lines;
  EXPECT_THAT(lines, HasSubstr("level=info"));
  EXPECT_THAT(lines, HasSubstr("request_id=r1 msg=\"request finished\" finish_reason=length "
                               "prompt_tokens=8000"));
  EXPECT_THAT(lines, HasSubstr("policy=windowkv task=aggregation task_confidence=0.5"));
  EXPECT_THAT(lines, HasSubstr("bytes_full=1000 bytes_kept=30"));
  EXPECT_THAT(lines, HasSubstr("queued=0.25 prefill=1.5 decode=0.5"));
  EXPECT_THAT(lines, HasSubstr("ttft=1.75"));
}

}  // namespace
}  // namespace windowkv
