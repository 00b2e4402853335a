#include "client/command_line/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "client/command_line/error_line.h"
#include "tests/client/command_line/command_line_fixture.h"
#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CommandLineTest : public CommandLineFixture {};

TEST_F(CommandLineTest, GenerateWritesOnlyTheTextToStandardOutput) {
  const Outcome outcome = Call("generate", {"--prompt", "hi"});
  EXPECT_EQ(outcome.exit_code, kExitDone);
  EXPECT_EQ(outcome.out, "The answer is 42.");
  EXPECT_EQ(outcome.err, "");
}

TEST_F(CommandLineTest, ReceiptGoesToStandardError) {
  const Outcome outcome = Call("generate", {"--prompt", "hi", "--receipt"});
  EXPECT_EQ(outcome.out, "The answer is 42.");
  EXPECT_THAT(outcome.err, HasSubstr("windowkv, mean"));
}

TEST_F(CommandLineTest, ATerminalShowsProgressAndTheReceipt) {
  const Outcome outcome =
      Run({"generate", "--target", server_.target(), "--prompt", "hi"}, /*terminal=*/true);
  EXPECT_EQ(outcome.out, "The answer is 42.\n");
  EXPECT_THAT(outcome.err, HasSubstr("reading 20 tokens: layer 8 of 8"));
  EXPECT_THAT(outcome.err, HasSubstr("windowkv, mean"));
}

TEST_F(CommandLineTest, JsonIsOneObjectPerMessageWithTheProtosOwnNames) {
  const Outcome outcome = Call("generate", {"--prompt", "hi", "--json", "--request-id", "r7"});
  std::istringstream lines(outcome.out);
  std::vector<nlohmann::json> messages;
  for (std::string line; std::getline(lines, line);)
    messages.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(messages.size(), 5u);
  EXPECT_EQ(messages[0]["accepted"]["request_id"], "r7");
  EXPECT_EQ(messages[1]["progress"]["layers_total"], 8);
  EXPECT_EQ(messages[2]["chunk"]["token_ids"][0], 11);
  EXPECT_EQ(messages[4]["finished"]["receipt"]["bytes_kept"], "1024");
  EXPECT_EQ(messages[4]["finished"]["finish_reason"], "FINISH_REASON_STOP");
}

TEST_F(CommandLineTest, AServerErrorIsOneLineAndExitCode1) {
  service_.on_generate = [](const auto&, auto*, auto*) {
    return testing::DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT,
                                   "cache.beta is 0, must be in [1, 1024]", "cache.beta", 0);
  };
  const Outcome outcome = Call("generate", {"--prompt", "hi"});
  EXPECT_EQ(outcome.exit_code, kExitServerError);
  EXPECT_EQ(outcome.err,
            "windowkv: INVALID_ARGUMENT cache.beta: cache.beta is 0, must be in [1, 1024]\n");
}

TEST_F(CommandLineTest, BadUsageIsExitCode2) {
  EXPECT_EQ(Run({}).exit_code, kExitBadUsage);
  EXPECT_EQ(Run({"fly"}).exit_code, kExitBadUsage);
  EXPECT_EQ(Run({"generate"}).exit_code, kExitBadUsage);
  EXPECT_EQ(Run({"generate", "--prompt", "a", "--timeout", "0s"}).exit_code, kExitBadUsage);
  EXPECT_EQ(Run({"generate", "--prompt", "a", "--target", "nowhere"}).exit_code, kExitBadUsage);
}

TEST_F(CommandLineTest, BadUsageIsNamedInOneLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"fly", "--prompt", "a"}, "windowkv: there is no command fly\n"},
      {{"bench", "fly"}, "windowkv: there is no command fly\n"},
      {{"generate", "--fly"}, "windowkv: The following argument was not expected: --fly\n"},
      {{"generate", "--seed", "-1"},
       "windowkv: --seed: \"-1\" is not a whole number in [0, 18446744073709551615]: The same "
       "seed "},
      {{"bench", "load", "--seed", "-1"},
       "windowkv: --seed: \"-1\" is not a whole number in [0, 1"},
      {{"bench", "quality", "--seed", "-1"},
       "windowkv: --seed: \"-1\" is not a whole number in [0, 1"},
      {{"bench", "load", "--rate", "fast"},
       "windowkv: --rate: \"fast\" is not a number: Open loop: "},
      {{"generate", "--budget-tokens", "abc"},
       "windowkv: --budget-tokens: \"abc\" is not a whole number: All but full: prompt tokens kept "
       "per "
       "layer, mean over layers; [1, context length], default: the server's\n"},
      {{"generate", "--token-ids", "1,x"}, "windowkv: --token-ids: \"x\" is not a whole number: "}};
  for (const auto& [arguments, line] : cases) {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, kExitBadUsage);
    EXPECT_EQ(outcome.err.substr(0, line.size()), line);
  }
}

TEST_F(CommandLineTest, LogProbabilitiesNeedJson) {
  const Outcome outcome = Call("generate", {"--prompt", "hi", "--logprobs", "3"});
  EXPECT_EQ(outcome.exit_code, kExitBadUsage);
  EXPECT_EQ(outcome.err, "windowkv: --logprobs needs --json: text has no place for them\n");
  EXPECT_EQ(Call("generate", {"--prompt", "hi", "--logprobs", "3", "--json"}).exit_code, kExitDone);
}

TEST_F(CommandLineTest, HelpAndVersionGoToStandardOutput) {
  const Outcome help = Run({"generate", "--help"});
  EXPECT_EQ(help.exit_code, kExitDone);
  EXPECT_THAT(help.out, HasSubstr("--budget-tokens"));
  const Outcome version = Run({"--version"});
  EXPECT_EQ(version.exit_code, kExitDone);
  EXPECT_THAT(version.out, HasSubstr("windowkv 0."));
}

TEST_F(CommandLineTest, InfoShowsTheModel) {
  EXPECT_THAT(Call("info", {}).out, HasSubstr("fake_llama"));
  EXPECT_EQ(nlohmann::json::parse(Call("info", {"--json"}).out)["num_layers"], 8);
}

TEST_F(CommandLineTest, InfoShowsTheServersCacheLimits) {
  EXPECT_THAT(Call("info", {}).out, Not(HasSubstr("cache limits")));
  v1::CacheLimits* limits = service_.model_info.mutable_cache_limits();
  limits->set_budget_tokens(2048);
  limits->set_observation_tokens(64);
  limits->set_pinned_spans(7);
  const std::string text = Call("info", {}).out;
  EXPECT_THAT(text, HasSubstr("budget 2048 tokens per layer, 0 sink tokens, 7 pinned spans"));
  EXPECT_THAT(text, HasSubstr("64 observation tokens"));
}

TEST_F(CommandLineTest, LoadShowsFreeBlocks) {
  EXPECT_THAT(Call("load", {}).out, HasSubstr("100 free of 100"));
  const auto json = nlohmann::json::parse(Call("load", {"--json"}).out);
  EXPECT_EQ(json["free_kv_blocks"], "100");
  EXPECT_EQ(json["waiting"], 0);
}

TEST_F(CommandLineTest, TokenizePrintsOneTokenPerLine) {
  service_.tokens.add_token_ids(5);
  service_.tokens.add_tokens("a\n");
  EXPECT_EQ(Call("tokenize", {"--prompt", "a\n"}).out, "5\ta\\n\n");
}

// An environment variable while it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* const name_;
};

TEST_F(CommandLineTest, TokenizeSendsTheMessagesThatGenerateWouldSend) {
  v1::TokenizeRequest sent;
  service_.on_tokenize = [&](const v1::TokenizeRequest& request, auto*) {
    sent = request;
    return v1::TokenizeResponse();
  };
  EXPECT_EQ(Call("tokenize", {"--prompt", "hi", "--chat", "--system", "be brief"}).exit_code,
            kExitDone);
  ASSERT_EQ(sent.chat().messages_size(), 2);
  EXPECT_EQ(sent.chat().messages(0).role(), "system");
  EXPECT_EQ(sent.chat().messages(0).content(), "be brief");
  EXPECT_EQ(sent.chat().messages(1).content(), "hi");
  EXPECT_EQ(Call("tokenize", {"--prompt", "hi", "--system", "be brief"}).exit_code, kExitBadUsage);
}

TEST_F(CommandLineTest, FlagsAlsoComeFromTheEnvironment) {
  const Variable budget("WINDOWKV_BUDGET_TOKENS", "77");
  const Outcome outcome = Call("generate", {"--prompt", "hi"});
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(service_.requests().at(0).cache().budget_tokens(), 77);
}

TEST_F(CommandLineTest, OnlyTheChosenCommandReadsTheEnvironment) {
  const Variable tokens("WINDOWKV_TOKENS", "x");             // bench quality's
  const Variable max_tokens("WINDOWKV_MAX_TOKENS", "8000");  // over the range of bench quality's
  EXPECT_EQ(Call("info", {}).exit_code, kExitDone);
  const Outcome outcome = Call("generate", {"--prompt", "hi"});
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(service_.requests().at(0).sampling().max_tokens(), 8000);
  EXPECT_EQ(Run({"bench", "quality", "--target", server_.target()}).exit_code, kExitBadUsage);
}

TEST_F(CommandLineTest, ATypedFlagWinsOverTheEnvironmentOfOnesThatItExcludes) {
  const Variable prompt("WINDOWKV_PROMPT", "yo");
  const Variable budget("WINDOWKV_BUDGET_TOKENS", "77");
  standard_input_ = "hi";
  const Outcome outcome = Call("generate", {"--prompt-file", "-", "--budget-bytes=5000"});
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(service_.requests().at(0).text(), "hi");
  EXPECT_EQ(service_.requests().at(0).cache().budget_bytes(), 5000);
}

TEST_F(CommandLineTest, FlagsAlsoComeFromAConfigFile) {
  const std::string path = ::testing::TempDir() + "/windowkv_config_test.toml";
  std::ofstream(path) << "[generate]\nbudget-tokens = 99\nchat = true\n";
  const Outcome outcome =
      Run({"--config", path, "generate", "--target", server_.target(), "--prompt", "hi"});
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(service_.requests().at(0).cache().budget_tokens(), 99);
  EXPECT_TRUE(service_.requests().at(0).has_chat());
}

TEST_F(CommandLineTest, AnUnknownKeyOfTheConfigFileIsNamed) {
  const std::string path = ::testing::TempDir() + "/windowkv_unknown_key_test.toml";
  for (const auto& [content, unknown] : std::vector<std::pair<std::string, std::string>>{
           {"[generate]\nbudget-token = 99\n", "generate.budget-token"},
           {"[fly]\nbudget-tokens = 99\n", "fly"}}) {
    std::ofstream(path) << content;
    const Outcome outcome = Run({"--config", path, "info"});
    EXPECT_EQ(outcome.exit_code, kExitBadUsage);
    EXPECT_THAT(outcome.err, HasSubstr("windowkv: --config: there is no option " + unknown + "\n"));
  }
}

}  // namespace
}  // namespace windowkv::client
