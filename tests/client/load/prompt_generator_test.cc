#include "client/load/prompt_generator.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

TEST(PromptGeneratorTest, WritesTheBytesThatTheTokensComeTo) {
  const PromptGenerator generator({.tokens_per_byte = 0.25, .around = 20});
  SeededRandom random(1);
  EXPECT_EQ(generator.Write(120, &random).size(), 400u);
  EXPECT_EQ(generator.Write(2020, &random).size(), 8000u);
}

TEST(PromptGeneratorTest, APromptShorterThanWhatStandsAroundItHasOneByte) {
  const PromptGenerator generator({.tokens_per_byte = 0.25, .around = 20});
  SeededRandom random(1);
  EXPECT_EQ(generator.Write(5, &random).size(), 1u);
}

TEST(PromptGeneratorTest, NoTwoPromptsBeginAlike) {
  const PromptGenerator generator({.tokens_per_byte = 0.25, .around = 0});
  std::set<std::string> beginnings;
  for (uint64_t i = 0; i < 500; ++i) {
    SeededRandom random = SeededRandom::ForItem(1, i);
    beginnings.insert(generator.Write(64, &random).substr(0, 128));
  }
  EXPECT_EQ(beginnings.size(), 500u);
}

TEST(PromptGeneratorTest, TheSameSeedWritesTheSame) {
  const PromptGenerator generator({.tokens_per_byte = 0.25, .around = 0});
  SeededRandom one(9);
  SeededRandom same(9);
  EXPECT_EQ(generator.Write(300, &one), generator.Write(300, &same));
}

class MeasuredPromptTest : public ::testing::Test {
 protected:
  // Every fourth byte is a token, and there are `around` more.
  void CountBytes(int around) {
    service_.on_tokenize = [around](const v1::TokenizeRequest& request, auto*) {
      size_t bytes = request.text().size();
      for (const v1::ChatMessage& message : request.chat().messages()) {
        bytes += message.content().size();
      }
      v1::TokenizeResponse response;
      for (size_t i = 0; i < (bytes + 3) / 4 + static_cast<size_t>(around); ++i) {
        response.add_token_ids(static_cast<int>(i));
      }
      return response;
    };
  }

  testing::FakeGenerationService service_;
  testing::FakeServer server_{&service_};
  std::unique_ptr<Client> client_ = *Client::Create({.target = server_.target()});
};

TEST_F(MeasuredPromptTest, ComesToTheTokensThatTheServerCounts) {
  CountBytes(/*around=*/30);
  const auto generator = PromptGenerator::Measure({}, *client_, {});
  ASSERT_TRUE(generator.ok()) << generator.status();
  SeededRandom random(1);
  EXPECT_NEAR(static_cast<double>(generator->Write(1030, &random).size()), 4000, 4);
}

TEST_F(MeasuredPromptTest, CountsTheSystemMessageOfAChat) {
  CountBytes(/*around=*/30);
  v1::GenerateRequest request;
  v1::ChatMessage* system = request.mutable_chat()->add_messages();
  system->set_role("system");
  system->set_content(std::string(400, 's'));
  const auto generator = PromptGenerator::Measure(request, *client_, {});
  ASSERT_TRUE(generator.ok()) << generator.status();
  SeededRandom random(1);
  EXPECT_NEAR(static_cast<double>(generator->Write(1130, &random).size()), 4000, 4);
}

TEST_F(MeasuredPromptTest, AServerThatCountsNothingIsAnError) {
  EXPECT_TRUE(absl::IsInternal(PromptGenerator::Measure({}, *client_, {}).status()));
  service_.SetUnaryStatus({grpc::StatusCode::PERMISSION_DENIED, "no key"});
  EXPECT_TRUE(absl::IsPermissionDenied(PromptGenerator::Measure({}, *client_, {}).status()));
}

}  // namespace
}  // namespace windowkv::client
