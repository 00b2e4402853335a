#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/command_line/error_line.h"
#include "tests/client/command_line/command_line_fixture.h"

namespace windowkv::client {
namespace {

using ::testing::HasSubstr;

class BenchQualityCommandTest : public CommandLineFixture {
 protected:
  BenchQualityCommandTest() {
    service_.model_info.set_context_length(8192);
    for (int i = 0; i < 6000; ++i) service_.tokens.add_token_ids(i);
    service_.on_generate = [](const auto& request, auto*, auto* writer) {
      Finish(request, writer);
      return grpc::Status::OK;
    };
  }

  static void Finish(const v1::GenerateRequest& request, testing::GenerateWriter* writer) {
    v1::GenerateResponse message = testing::FinishedMessage();
    message.mutable_finished()->mutable_receipt()->set_policy(request.cache().policy());
    writer->Write(message);
  }

  Outcome Quality(std::vector<std::string> arguments, bool terminal = false) {
    arguments.insert(arguments.begin(),
                     {"bench", "quality", "--target", server_.target(), "--tokens", "200"});
    return Run(std::move(arguments), terminal);
  }
};

TEST_F(BenchQualityCommandTest, ComparesThePoliciesInATable) {
  const Outcome outcome = Quality({"--documents", "2", "--budgets", "64,128"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(service_.requests().size(), 22u);
  for (const char* row : {"full                        -", "windowkv                   64",
                          "windowkv                  128", "streaming_llm              64",
                          "snapkv                     64", "pyramidkv                  64",
                          "h2o                       128"}) {
    EXPECT_THAT(outcome.out, HasSubstr(row));
  }
}

TEST_F(BenchQualityCommandTest, AsksGreedilyInOneUserMessage) {
  Quality({"--documents", "1", "--policies", "h2o", "--budgets", "64"});
  ASSERT_EQ(service_.requests().size(), 2u);
  for (const v1::GenerateRequest& request : service_.requests()) {
    ASSERT_EQ(request.chat().messages_size(), 1);
    EXPECT_EQ(request.chat().messages(0).role(), "user");
    EXPECT_THAT(request.chat().messages(0).content(), HasSubstr("\n\nWhere does"));
    EXPECT_EQ(request.sampling().temperature(), 0);
    EXPECT_TRUE(request.sampling().has_temperature());
    EXPECT_EQ(request.sampling().max_tokens(), 64);
    EXPECT_FALSE(request.has_task());
  }
}

TEST_F(BenchQualityCommandTest, WindowkvsOptionsGoToItsRequestsOnly) {
  const Outcome outcome = Quality({"--documents", "1", "--policies", "windowkv,pyramidkv",
                                   "--budgets", "64", "--window-size", "4", "--beta", "9"});
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  for (const v1::GenerateRequest& request : service_.requests()) {
    const bool windowkv = request.cache().policy() == v1::CACHE_POLICY_WINDOWKV;
    EXPECT_EQ(request.cache().window_size(), windowkv ? 4 : 0);
    EXPECT_EQ(request.cache().has_beta(), windowkv);
  }
}

TEST_F(BenchQualityCommandTest, ComparesTasksForWindowkvAlone) {
  const Outcome outcome = Quality({"--documents", "1", "--policies", "windowkv,snapkv", "--budgets",
                                   "64", "--tasks", "localization,AGGREGATION,localization"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  for (const char* row : {"windowkv, localization     64", "windowkv, aggregation      64",
                          "snapkv                     64"}) {
    EXPECT_THAT(outcome.out, HasSubstr(row));
  }
  EXPECT_EQ(service_.requests().size(), 4u);
}

TEST_F(BenchQualityCommandTest, JsonIsOneObject) {
  const Outcome outcome = Quality({"--documents", "2", "--budgets", "64,64", "--policies",
                                   "SNAPKV,snapkv", "--families", "vault", "--json"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["model"], "fake_llama");
  EXPECT_EQ(json["answered"], 4);
  EXPECT_EQ(json["cells"].size(), 4u);
}

TEST_F(BenchQualityCommandTest, WritesThePlot) {
  const std::string path = ::testing::TempDir() + "/bench_quality_command_test.svg";
  const Outcome outcome = Quality({"--documents", "1", "--budgets", "64", "--svg", path});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  std::ifstream file(path);
  const std::string svg{std::istreambuf_iterator<char>(file), {}};
  std::remove(path.c_str());
  EXPECT_EQ(svg.rfind("<svg ", 0), 0u);
  EXPECT_THAT(svg, HasSubstr("streaming_llm"));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
}

TEST_F(BenchQualityCommandTest, ATerminalShowsHowFarItIs) {
  const Outcome outcome =
      Quality({"--documents", "1", "--budgets", "64", "--policies", "h2o"}, /*terminal=*/true);
  EXPECT_THAT(outcome.err, HasSubstr("2 of 2 requests"));
}

TEST_F(BenchQualityCommandTest, CountsErrorsAndStillReports) {
  service_.on_generate = [](const auto& request, auto*, auto* writer) {
    if (request.cache().policy() == v1::CACHE_POLICY_H2O) {
      return testing::DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT, "no such policy",
                                     "cache.policy", 0);
    }
    Finish(request, writer);
    return grpc::Status::OK;
  };
  const Outcome outcome = Quality({"--documents", "3", "--budgets", "64"});
  EXPECT_EQ(outcome.exit_code, kExitServerError);
  EXPECT_THAT(outcome.out, HasSubstr("15 requests answered"));
  EXPECT_THAT(outcome.out, HasSubstr("3 failed with INVALID_ARGUMENT"));
  EXPECT_THAT(outcome.err, HasSubstr("first error: INVALID_ARGUMENT cache.policy"));
}

TEST_F(BenchQualityCommandTest, AnInterruptPrintsWhatIsThere) {
  int asked = 0;
  service_.on_generate = [&](const auto& request, grpc::ServerContext* context, auto* writer) {
    if (++asked == 3) {
      interrupt_.Cancel();
      return service_.HoldUntilCancelled(context);
    }
    Finish(request, writer);
    return grpc::Status::OK;
  };
  const Outcome outcome = Quality({"--documents", "9", "--concurrency", "1"});
  EXPECT_EQ(outcome.exit_code, kExitInterrupted);
  EXPECT_EQ(outcome.err, "windowkv: interrupted\n");
  EXPECT_THAT(outcome.out, HasSubstr("2 requests answered, 1 at a time"));
}

TEST_F(BenchQualityCommandTest, BadFlagsAreExitCode2) {
  const std::vector<std::vector<std::string>> bad = {
      {"--documents", "0"},    {"--documents", "-1"},     {"--documents", "9999999999999"},
      {"--budgets", "0"},      {"--budgets", "64,x"},     {"--policies", "lru"},
      {"--policies", "full"},  {"--families", "riddles"}, {"--tokens", "127"},
      {"--seed", "-1"},        {"--max-tokens", "0"},     {"--concurrency", "0"},
      {"--tasks", "poetry"},   {"--prompt", "hi"},        {"--svg", "/nonexistent/folder/plot.svg"},
      {"--target", "nowhere"},
  };
  for (const auto& arguments : bad) {
    std::vector<std::string> line = {"bench", "quality"};
    line.insert(line.end(), arguments.begin(), arguments.end());
    EXPECT_EQ(Run(line).exit_code, kExitBadUsage) << ::testing::PrintToString(arguments);
  }
  EXPECT_TRUE(service_.requests().empty());
}

TEST_F(BenchQualityCommandTest, DocumentsThatDoNotFitTheContextAreRefusedAtOnce) {
  service_.model_info.set_context_length(250);
  const Outcome outcome = Quality({"--documents", "1"});
  EXPECT_EQ(outcome.exit_code, kExitBadUsage);
  EXPECT_THAT(outcome.err, HasSubstr("do not fit the context of fake_llama, 250 tokens"));
  EXPECT_TRUE(service_.requests().empty());
}

TEST_F(BenchQualityCommandTest, AServerThatAnswersNothingIsToldApart) {
  service_.SetUnaryStatus(
      testing::DetailedStatus(grpc::StatusCode::UNAVAILABLE, "draining", "", 1));
  EXPECT_EQ(Quality({}).exit_code, kExitServerError);
}

TEST_F(BenchQualityCommandTest, FlagsAlsoComeFromTheEnvironment) {
  ASSERT_EQ(setenv("WINDOWKV_BUDGETS", "96", 1), 0);
  const Outcome outcome = Quality({"--documents", "1", "--policies", "h2o"});
  unsetenv("WINDOWKV_BUDGETS");
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("h2o                        96"));
}

}  // namespace
}  // namespace windowkv::client
