#include "client/traceparent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/command_line/error_line.h"
#include "tests/client/command_line/command_line_fixture.h"

namespace windowkv::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr char kOther[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

TEST(TraceparentTest, IsWhatTheStandardSays) {
  EXPECT_TRUE(IsTraceparent(kParent));
  for (const char* other : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
    EXPECT_FALSE(IsTraceparent(other)) << other;
  }
}

class SentTraceparentTest : public CommandLineFixture {
 protected:
  SentTraceparentTest() {
    unsetenv("TRACEPARENT");
    service_.on_generate = [this](const auto& request, grpc::ServerContext* context, auto* writer) {
      const auto [begin, end] = context->client_metadata().equal_range("traceparent");
      for (auto it = begin; it != end; ++it) {
        received_.emplace_back(it->second.data(), it->second.size());
      }
      writer->Write(testing::AcceptedMessage(request));
      writer->Write(testing::FinishedMessage());
      return grpc::Status::OK;
    };
  }
  ~SentTraceparentTest() override { unsetenv("TRACEPARENT"); }

  std::vector<std::string> received_;
};

TEST_F(SentTraceparentTest, TheFlagsTraceGoesToTheServer) {
  EXPECT_EQ(Call("generate", {"--prompt", "hi", "--traceparent", kParent}).exit_code, kExitDone);
  EXPECT_THAT(received_, ElementsAre(kParent));
}

TEST_F(SentTraceparentTest, EveryRequestOfALoadRunIsOfTheFlagsTrace) {
  const Outcome outcome = Run({"bench", "load", "--target", server_.target(), "--prompt", "hi",
                               "--requests", "2", "--traceparent", kParent});
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_THAT(received_, ElementsAre(kParent, kParent));
}

TEST_F(SentTraceparentTest, WithoutOneNoneIsSent) {
  EXPECT_EQ(Call("generate", {"--prompt", "hi"}).exit_code, kExitDone);
  EXPECT_THAT(received_, IsEmpty());
}

TEST_F(SentTraceparentTest, TheCallersTraceIsTakenFromTheEnvironmentUnlessAFlagSaysOtherwise) {
  setenv("TRACEPARENT", kOther, 1);
  EXPECT_EQ(Call("generate", {"--prompt", "hi"}).exit_code, kExitDone);
  EXPECT_EQ(Call("generate", {"--prompt", "hi", "--traceparent", kParent}).exit_code, kExitDone);
  EXPECT_THAT(received_, ElementsAre(kOther, kParent));
}

TEST_F(SentTraceparentTest, AMalformedFlagIsBadUsageAMalformedVariableIsIgnored) {
  const Outcome refused = Call("generate", {"--prompt", "hi", "--traceparent", "00-12-34-01"});
  EXPECT_EQ(refused.exit_code, kExitBadUsage);
  EXPECT_THAT(refused.err, HasSubstr("--traceparent"));
  setenv("TRACEPARENT", "00-12-34-01", 1);
  EXPECT_EQ(Call("generate", {"--prompt", "hi"}).exit_code, kExitDone);
  EXPECT_THAT(received_, IsEmpty());
}

TEST_F(SentTraceparentTest, TheLibrarySendsNothingThatIsNotOne) {
  const auto client = *Client::Create({.target = server_.target()});
  EXPECT_TRUE(client->Generate({}, {.traceparent = "not\nmetadata"}, [](const auto&) {}).ok());
  EXPECT_TRUE(client->Generate({}, {.traceparent = kParent}, [](const auto&) {}).ok());
  EXPECT_THAT(received_, ElementsAre(kParent));
}

}  // namespace
}  // namespace windowkv::client
