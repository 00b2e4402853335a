#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "client/command_line/error_line.h"
#include "tests/client/command_line/command_line_fixture.h"

namespace windowkv::client {
namespace {

using ::testing::HasSubstr;

class ClassifyCommandTest : public CommandLineFixture {
 protected:
  ~ClassifyCommandTest() override {
    for (const std::string& path : files_) std::remove(path.c_str());
  }

  Outcome Classify(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"classify", "--target", classifier_server_.target()});
    return Run(std::move(arguments));
  }

  std::string File(const std::string& name, const std::string& content) {
    files_.push_back(::testing::TempDir() + "/classify_command_test_" + name);
    std::ofstream(files_.back()) << content;
    return files_.back();
  }

  static std::vector<nlohmann::json> Lines(const std::string& out) {
    std::istringstream in(out);
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }

  testing::FakeClassifierService classifier_;
  testing::FakeServer classifier_server_{&classifier_};
  std::vector<std::string> files_;
};

TEST_F(ClassifyCommandTest, ShowsTheVerdictOfAPrompt) {
  const Outcome outcome = Classify({"--prompt", "who?"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("localization, confidence 0.7500\n"));
  EXPECT_THAT(outcome.out, HasSubstr("all 4 characters\n"));
  EXPECT_THAT(outcome.out, HasSubstr("fake_bert\n"));
  ASSERT_EQ(classifier_.requests().size(), 1u);
  EXPECT_EQ(classifier_.requests()[0].texts(0), "who?");
}

TEST_F(ClassifyCommandTest, OneFileIsAsOnePrompt) {
  const Outcome outcome = Classify({"--prompt-file", File("one", "who?"), "--json"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["classifications"][0]["task"], "TASK_LOCALIZATION");
  EXPECT_EQ(json["model"], "fake_bert");
  EXPECT_EQ(classifier_.requests()[0].texts(0), "who?");
}

TEST_F(ClassifyCommandTest, SeveralFilesHaveAVerdictEach) {
  const std::string first = File("first", "who?");
  const std::string second = File("second", "why not?");
  const Outcome outcome =
      Classify({"--prompt-file", first, "/nonexistent/prompt", "--prompt-file", second});
  EXPECT_EQ(outcome.exit_code, kExitBadUsage);
  EXPECT_THAT(outcome.out, HasSubstr(first + ": localization, confidence 0.7500\n"));
  EXPECT_THAT(outcome.out, HasSubstr("all 4 characters\n"));
  EXPECT_THAT(outcome.out, HasSubstr(second + ": localization, confidence 0.7500\n"));
  EXPECT_THAT(outcome.out, HasSubstr("all 8 characters\n"));
  EXPECT_THAT(outcome.err, HasSubstr("windowkv: /nonexistent/prompt: NOT_FOUND: cannot read"));
  EXPECT_THAT(outcome.err, HasSubstr("windowkv: 1 of 3 texts could not be classified\n"));
}

TEST_F(ClassifyCommandTest, SeveralFilesCanHaveAJsonLineEach) {
  const std::string first = File("first", "who?");
  const std::string second = File("second", "why not?");
  const Outcome outcome = Classify({"--json", "--prompt-file", first, second});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  const auto lines = Lines(outcome.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["file"], first);
  EXPECT_EQ(lines[1]["file"], second);
  EXPECT_EQ(lines[1]["classification"]["read"][0]["end"], 8);
}

TEST_F(ClassifyCommandTest, JsonLinesHaveAVerdictOrAnErrorEachInTheirOrder) {
  const std::string path =
      File("lines", "{\"text\": \"who?\"}\nnonsense\n{\"text\": \"\"}\n{\"text\": \"why not?\"}\n");
  const Outcome outcome = Classify({"--jsonl", path});
  EXPECT_EQ(outcome.exit_code, kExitBadUsage);
  EXPECT_EQ(outcome.err, "windowkv: 2 of 4 texts could not be classified\n");
  const auto lines = Lines(outcome.out);
  ASSERT_EQ(lines.size(), 4u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(lines[i]["line"], i + 1);
  EXPECT_EQ(lines[0]["classification"]["task"], "TASK_LOCALIZATION");
  EXPECT_EQ(lines[0]["classification"]["read"][0]["end"], 4);
  EXPECT_EQ(lines[0]["model"], "fake_bert");
  EXPECT_EQ(lines[1]["error"]["code"], "INVALID_ARGUMENT");
  EXPECT_EQ(lines[1]["error"]["message"], "the line is not a JSON object in UTF-8");
  EXPECT_EQ(lines[2]["error"]["message"], "text is empty");
  EXPECT_EQ(lines[3]["classification"]["read"][0]["end"], 8);
}

TEST_F(ClassifyCommandTest, ATextThatTheServerRefusesIsExitCode1) {
  const Outcome outcome = Classify({"--jsonl", File("empty", "{\"text\": \"\"}\n")});
  EXPECT_EQ(outcome.exit_code, kExitServerError);
  EXPECT_EQ(outcome.err, "windowkv: 1 of 1 texts could not be classified\n");
}

TEST_F(ClassifyCommandTest, JsonLinesMayComeFromStandardInput) {
  standard_input_ = "{\"text\": \"who?\"}\n";
  const Outcome outcome = Classify({"--jsonl", "-"});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(Lines(outcome.out).size(), 1u);
}

// Input is read on one thread while another writes the output, to which std::cin is tied.
TEST_F(ClassifyCommandTest, ReadingStandardInputFlushesNothing) {
  struct FlushCounter : std::stringbuf {
    int sync() override { return ++flushes, 0; }
    int flushes = 0;
  } counter;
  std::ostream tied(&counter);
  tied_to_input_ = &tied;
  standard_input_ = "{\"text\": \"who?\"}\n";
  EXPECT_EQ(Classify({"--jsonl", "-"}).exit_code, kExitDone);
  EXPECT_EQ(counter.flushes, 0);
}

TEST_F(ClassifyCommandTest, AnInterruptEndsIt) {
  testing::FakeGenerationService holder;
  classifier_.on_classify_stream = [&](grpc::ServerContext* context, auto*) {
    interrupt_.Cancel();
    return holder.HoldUntilCancelled(context);
  };
  standard_input_ = "{\"text\": \"who?\"}\n";
  const Outcome outcome = Classify({"--jsonl", "-"});
  EXPECT_EQ(outcome.exit_code, kExitInterrupted);
  EXPECT_EQ(outcome.err, "windowkv: interrupted\n");
  holder.WaitForCancellation();
}

TEST_F(ClassifyCommandTest, ACallThatFailsIsTold) {
  classifier_.on_classify_stream = [](auto*, auto*) {
    return testing::DetailedStatus(grpc::StatusCode::UNAVAILABLE, "draining", "", 1);
  };
  standard_input_ = "{\"text\": \"who?\"}\n";
  const Outcome outcome = Classify({"--jsonl", "-"});
  EXPECT_EQ(outcome.exit_code, kExitServerError);
  EXPECT_THAT(outcome.err, HasSubstr("windowkv: UNAVAILABLE: draining; retry after 1s\n"));
}

TEST_F(ClassifyCommandTest, BadUsageIsExitCode2) {
  EXPECT_EQ(Classify({}).exit_code, kExitBadUsage);
  EXPECT_EQ(Classify({"--prompt", "a", "--jsonl", "-"}).exit_code, kExitBadUsage);
  EXPECT_EQ(Classify({"--prompt-file", "-", "--jsonl", "-"}).exit_code, kExitBadUsage);
  EXPECT_EQ(Classify({"--prompt", "a", "--prompt-file", "-"}).exit_code, kExitBadUsage);
  EXPECT_EQ(Classify({"--prompt", "\xff"}).exit_code, kExitBadUsage);
  EXPECT_EQ(Classify({"--jsonl", "/nonexistent/lines"}).exit_code, kExitBadUsage);
  EXPECT_EQ(Classify({"--jsonl", "/"}).exit_code, kExitBadUsage);
  EXPECT_EQ(Classify({"--prompt-file", "/nonexistent/prompt"}).exit_code, kExitBadUsage);
}

}  // namespace
}  // namespace windowkv::client
