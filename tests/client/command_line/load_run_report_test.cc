#include "client/command_line/load_run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "client/error_details.h"
#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Two done, 100 and 300 ms to the first token, one refused after 5 ms, one cancelled, in 4 s.
LoadResult ExampleResult(const LatencyLimits& limits) {
  LoadResult result;
  for (const int first : {100, 300}) {
    RequestRecord record({}, absl::Milliseconds(2));
    record.OnMessage(absl::Milliseconds(first), testing::ChunkMessage("a", 1));
    record.OnMessage(absl::Milliseconds(first + 20), testing::ChunkMessage("b", 2));
    record.OnMessage(absl::Milliseconds(first + 20), testing::FinishedMessage());
    record.OnDone(absl::Milliseconds(first + 20), absl::OkStatus());
    result.AddEnded(record, limits);
  }
  RequestRecord refused({}, {});
  refused.OnDone(absl::Milliseconds(5), FromRpcStatus(testing::DetailedStatus(
                                            grpc::StatusCode::RESOURCE_EXHAUSTED, "full", "", 1)));
  result.AddEnded(refused, limits);
  result.AddCancelled(RequestRecord({}, {}));
  result.sent = 4;
  result.peak_in_flight = 3;
  result.wall = absl::Seconds(4);
  return result;
}

LoadRunFacts ExampleFacts() {
  return {.model = "demo",
          .targets = "a:1,b:2",
          .arrivals = ArrivalProcess::Config{.rate = 2.5},
          .prompt_tokens = "uniform:10-20",
          .output_tokens = "8",
          .seed = 9,
          .limits = {.time_to_first_token = absl::Milliseconds(150)}};
}

TEST(LoadRunReportTest, TheTextAlignsTheLatencies) {
  const LoadRunFacts facts = ExampleFacts();
  EXPECT_EQ(
      LoadRunText(facts, ExampleResult(facts.limits)),
      "demo at a:1,b:2: 2.5 requests/s, poisson arrivals, prompts of uniform:10-20 tokens, "
      "outputs of 8 tokens (seed 9)\n"
      "4 requests in 4.00 s: 2 done, 1 failed, 1 cancelled; at most 3 in flight\n"
      "\n"
      "                           mean        p50        p90        p95        p99        max\n"
      "time to first token      200 ms     100 ms     300 ms     300 ms     300 ms     300 ms\n"
      "inter-token latency       20 ms      20 ms      20 ms      20 ms      20 ms      20 ms\n"
      "end to end               220 ms     120 ms     320 ms     320 ms     320 ms     320 ms\n"
      "queued by the server    0.00 ms    0.00 ms    0.00 ms    0.00 ms    0.00 ms    0.00 ms\n"
      "time to failure         5.00 ms    5.00 ms    5.00 ms    5.00 ms    5.00 ms    5.00 ms\n"
      "sent after due          1.00 ms    0.00 ms    2.00 ms    2.00 ms    2.00 ms    2.00 ms\n"
      "\n"
      "throughput           0.50 requests/s, 10 prompt tokens/s, 1 output tokens/s\n"
      "goodput              33.3 % of the requests, 50.0 % of those done, 0.25 requests/s: "
      "first token within 150 ms\n"
      "prompt KV kept       2.0 KiB of 8.0 KiB (25.00 %)\n"
      "1 failed with RESOURCE_EXHAUSTED\n"
      "1 of the failed came with a retry delay\n");
}

TEST(LoadRunReportTest, TheTextLeavesOutWhatThereIsNot) {
  LoadRunFacts facts{.model = "demo", .targets = "a:1", .concurrency = 4};
  LoadResult result;
  result.interrupted = true;
  const std::string text = LoadRunText(facts, result);
  EXPECT_THAT(text, HasSubstr("demo at a:1: 4 at a time, one prompt (seed 0)\n"));
  EXPECT_THAT(text, HasSubstr("in flight; interrupted\n"));
  for (const char* absent : {"time to first", "goodput", "KV kept", "failed with", "retry"}) {
    EXPECT_THAT(text, Not(HasSubstr(absent)));
  }
}

TEST(LoadRunReportTest, NamesTheArrivals) {
  LoadRunFacts facts = ExampleFacts();
  facts.arrivals->burstiness = 0.5;
  EXPECT_THAT(LoadRunText(facts, {}),
              HasSubstr("2.5 requests/s, gamma arrivals of burstiness 0.5"));
  facts.arrivals->gaps = ArrivalProcess::Gaps::kConstant;
  EXPECT_THAT(LoadRunText(facts, {}), HasSubstr("2.5 requests/s, constant arrivals,"));
}

TEST(LoadRunReportTest, JsonIsInSecondsAndKeepsItsNames) {
  const LoadRunFacts facts = ExampleFacts();
  const auto json = nlohmann::json::parse(LoadRunJson(facts, ExampleResult(facts.limits)));
  EXPECT_EQ(json["targets"], nlohmann::json({"a:1", "b:2"}));
  EXPECT_EQ(json["rate"], 2.5);
  EXPECT_EQ(json["arrivals"], "poisson");
  EXPECT_TRUE(json["concurrency"].is_null());
  EXPECT_EQ(json["prompt_tokens_asked"], "uniform:10-20");
  EXPECT_EQ(json["sent"], 4);
  EXPECT_EQ(json["completed"], 2);
  EXPECT_EQ(json["failed"], 1);
  EXPECT_EQ(json["cancelled"], 1);
  EXPECT_EQ(json["errors"]["RESOURCE_EXHAUSTED"], 1);
  EXPECT_EQ(json["failed_with_retry_delay"], 1);
  EXPECT_EQ(json["wall_seconds"], 4.0);
  EXPECT_EQ(json["requests_per_second"], 0.5);
  EXPECT_EQ(json["prompt_tokens_per_second"], 10.0);
  EXPECT_EQ(json["output_tokens_per_second"], 1.0);
  EXPECT_EQ(json["kv_bytes_kept"], 2048);
  EXPECT_EQ(json["kv_bytes_full"], 8192);
  EXPECT_EQ(json["goodput"]["requests"], 1);
  EXPECT_NEAR(json["goodput"]["share"].get<double>(), 1.0 / 3, 1e-12);
  EXPECT_EQ(json["goodput"]["time_to_first_token_limit_seconds"], 0.15);
  EXPECT_TRUE(json["goodput"]["inter_token_latency_limit_seconds"].is_null());
  for (const char* name : {"time_to_first_token_seconds", "inter_token_latency_seconds",
                           "end_to_end_seconds", "queued_seconds", "send_delay_seconds"}) {
    for (const char* figure : {"count", "mean", "p50", "p90", "p95", "p99", "max"}) {
      EXPECT_TRUE(json[name].contains(figure)) << name << " " << figure;
    }
  }
  EXPECT_EQ(json["time_to_first_token_seconds"]["p99"], 0.3);
  EXPECT_EQ(json["time_to_failure_seconds"]["max"], 0.005);
}

TEST(LoadRunReportTest, JsonOfAClosedLoopWithoutLimits) {
  const LoadRunFacts facts{.model = "demo", .targets = "a:1", .concurrency = 4};
  const auto json = nlohmann::json::parse(LoadRunJson(facts, {}));
  EXPECT_EQ(json["concurrency"], 4);
  for (const char* name : {"rate", "arrivals", "burstiness", "goodput", "prompt_tokens_asked",
                           "output_tokens_asked"}) {
    EXPECT_TRUE(json[name].is_null()) << name;
  }
}

}  // namespace
}  // namespace windowkv::client
