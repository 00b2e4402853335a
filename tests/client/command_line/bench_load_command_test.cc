#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "client/command_line/error_line.h"
#include "tests/client/command_line/command_line_fixture.h"

namespace windowkv::client {
namespace {

using ::testing::HasSubstr;

class BenchLoadCommandTest : public CommandLineFixture {
 protected:
  // A token for each four bytes, and ten around a prompt.
  BenchLoadCommandTest() {
    service_.model_info.set_context_length(8192);
    service_.on_tokenize = [](const v1::TokenizeRequest& request, auto*) {
      const size_t bytes =
          request.has_chat() ? request.chat().messages(0).content().size() : request.text().size();
      v1::TokenizeResponse response;
      for (size_t i = 0; i < (bytes + 3) / 4 + 10; ++i) response.add_token_ids(static_cast<int>(i));
      return response;
    };
  }

  Outcome Load(std::vector<std::string> arguments, bool terminal = false) {
    arguments.insert(arguments.begin(), {"bench", "load", "--target", server_.target()});
    return Run(std::move(arguments), terminal);
  }
};

TEST_F(BenchLoadCommandTest, SendsGeneratedPromptsOfTheAskedLengths) {
  const Outcome outcome =
      Load({"--requests", "5", "--concurrency", "2", "--prompt-tokens", "uniform:100-200",
            "--output-tokens", "8", "--policy", "windowkv", "--budget-tokens", "64"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  ASSERT_EQ(service_.requests().size(), 5u);
  for (const v1::GenerateRequest& request : service_.requests()) {
    EXPECT_GE(request.text().size(), 4u * (100 - 11));
    EXPECT_LE(request.text().size(), 4u * (200 - 10));
    EXPECT_EQ(request.sampling().max_tokens(), 8);
    EXPECT_TRUE(request.sampling().ignore_eos());
    EXPECT_EQ(request.cache().policy(), v1::CACHE_POLICY_WINDOWKV);
    EXPECT_EQ(request.cache().budget_tokens(), 64);
  }
  EXPECT_NE(service_.requests()[0].text(), service_.requests()[1].text());
  EXPECT_THAT(outcome.out, HasSubstr("2 at a time, prompts of uniform:100-200 tokens, outputs of 8 "
                                     "tokens (seed 1)\n5 requests in "));
  EXPECT_THAT(outcome.out, HasSubstr("5 done, 0 failed, 0 cancelled; at most "));
  EXPECT_THAT(outcome.out, HasSubstr("prompt KV kept       5.0 KiB of 20.0 KiB (25.00 %)"));
}

TEST_F(BenchLoadCommandTest, SendsAGivenPromptAsItIs) {
  const Outcome outcome = Load({"--prompt", "hi", "--chat", "--max-tokens", "3", "--requests", "6",
                                "--concurrency", "3", "--json", "--request-id", "b"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["completed"], 6);
  EXPECT_EQ(json["output_tokens"], 12);
  EXPECT_EQ(json["time_to_first_token_seconds"]["count"], 6);
  EXPECT_EQ(json["inter_token_latency_seconds"]["count"], 6);
  ASSERT_EQ(service_.requests().size(), 6u);
  const v1::GenerateRequest request = service_.requests()[0];
  EXPECT_EQ(request.chat().messages(0).content(), "hi");
  EXPECT_EQ(request.sampling().max_tokens(), 3);
  EXPECT_FALSE(request.sampling().ignore_eos());
  EXPECT_THAT(request.request_id(), ::testing::StartsWith("b-"));
}

TEST_F(BenchLoadCommandTest, AnOpenLoopReportsItsRateAndGoodput) {
  const Outcome outcome =
      Load({"--rate", "500", "--arrivals", "constant", "--requests", "10", "--prompt-tokens", "64",
            "--ttft-limit", "1m", "--itl-limit", "1m", "--json"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["completed"], 10);
  EXPECT_EQ(json["rate"], 500);
  EXPECT_EQ(json["arrivals"], "constant");
  EXPECT_EQ(json["goodput"]["share"], 1);
  EXPECT_EQ(json["goodput"]["inter_token_latency_limit_seconds"], 60);
}

TEST_F(BenchLoadCommandTest, SeveralTargetsTakeTurns) {
  testing::FakeGenerationService other_service;
  other_service.model_info.set_context_length(8192);
  testing::FakeServer other(&other_service);
  const Outcome outcome = Run({"bench", "load", "--target", server_.target() + "," + other.target(),
                               "--requests", "4", "--prompt", "hi"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(service_.requests().size(), 2u);
  EXPECT_EQ(other_service.requests().size(), 2u);
}

TEST_F(BenchLoadCommandTest, CountsErrorsByCodeAndStillReports) {
  service_.on_generate = [](const auto&, auto*, auto*) {
    return testing::DetailedStatus(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", "", 1);
  };
  const Outcome outcome = Load({"--prompt", "hi", "--requests", "3"});
  EXPECT_EQ(outcome.exit_code, kExitServerError);
  EXPECT_THAT(outcome.out, HasSubstr("3 failed with RESOURCE_EXHAUSTED\n"
                                     "3 of the failed came with a retry delay\n"));
  EXPECT_EQ(outcome.err, "windowkv: first error: RESOURCE_EXHAUSTED: full; retry after 1s\n");
}

TEST_F(BenchLoadCommandTest, AnInterruptReportsWhatThereIs) {
  service_.on_generate = [&](const auto&, grpc::ServerContext* context, auto*) {
    interrupt_.Cancel();
    return service_.HoldUntilCancelled(context);
  };
  const Outcome outcome = Load({"--prompt", "hi", "--duration", "inf"});
  EXPECT_EQ(outcome.exit_code, kExitInterrupted);
  EXPECT_EQ(outcome.err, "windowkv: interrupted\n");
  EXPECT_THAT(outcome.out, HasSubstr("1 requests in "));
  EXPECT_THAT(outcome.out, HasSubstr("0 done, 0 failed, 1 cancelled; at most 1 in flight; interr"));
}

TEST_F(BenchLoadCommandTest, NoServerIsExitCode3) {
  std::string target;
  {
    testing::FakeGenerationService service;
    target = testing::FakeServer(&service).target();
  }
  EXPECT_EQ(Run({"bench", "load", "--target", target}).exit_code, kExitUnreachable);
}

TEST_F(BenchLoadCommandTest, LengthsThatDoNotFitAContextAreRefusedAtOnce) {
  service_.model_info.set_context_length(1000);
  const Outcome outcome = Load({"--prompt-tokens", "100:0.9,950:0.1", "--output-tokens", "51"});
  EXPECT_EQ(outcome.exit_code, kExitBadUsage);
  EXPECT_THAT(outcome.err, HasSubstr("prompt and output may have 1001 tokens and do not fit the "
                                     "context of fake_llama, 1000 tokens"));
  EXPECT_TRUE(service_.requests().empty());
}

TEST_F(BenchLoadCommandTest, BadFlagsAreExitCode2) {
  const std::vector<std::vector<std::string>> bad = {
      {"--concurrency", "0"},
      {"--concurrency", "10001"},
      {"--rate", "0"},
      {"--rate", "x"},
      {"--rate", "1", "--concurrency", "2"},
      {"--arrivals", "constant"},
      {"--rate", "1", "--arrivals", "weekly"},
      {"--burstiness", "2"},
      {"--rate", "1", "--burstiness", "0"},
      {"--rate", "1", "--burstiness", "2", "--arrivals", "constant"},
      {"--requests", "0"},
      {"--duration", "0s"},
      {"--seed", "-1"},
      {"--prompt-tokens", "0"},
      {"--prompt-tokens", "uniform:9-3"},
      {"--prompt-tokens", "9", "--prompt", "hi"},
      {"--output-tokens", "9", "--max-tokens", "9"},
      {"--cancel-share", "1.1"},
      {"--ttft-limit", "fast"},
      {"--target", "127.0.0.1:1,"},
      {"--system", "be brief"},
  };
  for (const auto& arguments : bad) {
    std::vector<std::string> line = {"bench", "load"};
    line.insert(line.end(), arguments.begin(), arguments.end());
    EXPECT_EQ(Run(line).exit_code, kExitBadUsage) << ::testing::PrintToString(arguments);
  }
  EXPECT_EQ(Run({"bench"}).exit_code, kExitBadUsage);
}

TEST_F(BenchLoadCommandTest, ABadLengthIsNamedWithWhatItMustBe) {
  EXPECT_THAT(
      Load({"--prompt-tokens", "uniform:9-3"}).err,
      HasSubstr("--prompt-tokens: MAX of uniform:MIN-MAX is \"3\", must be at least MIN, 9"));
}

TEST_F(BenchLoadCommandTest, HelpGivesFormsRangesAndDefaults) {
  const Outcome help = Run({"bench", "load", "--help"});
  EXPECT_EQ(help.exit_code, kExitDone);
  for (const char* part : {"HOST:PORT,...", "(0, 100000]", "[0.01, 1000]", "default 16",
                           "TOKENS:WEIGHT,TOKENS:WEIGHT", "--budget-tokens", "--temperature"}) {
    EXPECT_THAT(help.out, HasSubstr(part));
  }
}

TEST_F(BenchLoadCommandTest, FlagsAlsoComeFromTheEnvironment) {
  ASSERT_EQ(setenv("WINDOWKV_REQUESTS", "3", 1), 0);
  const Outcome outcome = Load({"--prompt", "hi"});
  unsetenv("WINDOWKV_REQUESTS");
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(service_.requests().size(), 3u);
}

}  // namespace
}  // namespace windowkv::client
