#include "client/bulk_classification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/client.h"
#include "client/error_details.h"
#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BulkClassificationTest : public ::testing::Test {
 protected:
  // Classifies `texts_`; what became of them lands in `outcomes_`.
  absl::Status Classify(const CallOptions& options = {}) {
    size_t next = 0;
    return client_->ClassifyStream(
        [&]() -> std::optional<absl::StatusOr<std::string>> {
          if (next == texts_.size()) return std::nullopt;
          return texts_[next++];
        },
        options,
        [&](int64_t index, const absl::StatusOr<v1::ClassifyStreamResponse>& answer) {
          EXPECT_EQ(index, static_cast<int64_t>(outcomes_.size()));
          outcomes_.push_back(answer.ok()
                                  ? "characters read: " +
                                        std::to_string(answer->classification().read(0).end())
                                  : std::string(answer.status().message()));
        });
  }

  std::vector<absl::StatusOr<std::string>> texts_;
  std::vector<std::string> outcomes_;
  Cancellation cancellation_;
  testing::FakeClassifierService service_;
  testing::FakeServer server_{&service_};
  std::unique_ptr<Client> client_ = *Client::Create({.target = server_.target()});
};

TEST_F(BulkClassificationTest, AnswersComeInTheOrderOfTheTexts) {
  texts_ = {"a", "bb", "ccc"};
  EXPECT_TRUE(Classify().ok());
  EXPECT_THAT(outcomes_,
              ElementsAre("characters read: 1", "characters read: 2", "characters read: 3"));
}

TEST_F(BulkClassificationTest, NoTextsNeedNoAnswers) {
  EXPECT_TRUE(Classify().ok());
  EXPECT_TRUE(outcomes_.empty());
}

TEST_F(BulkClassificationTest, ErrorsStandInTheirTextsPlaces) {
  texts_ = {absl::NotFoundError("no file"), "bb", "", absl::NotFoundError("no other"), "ccc"};
  EXPECT_TRUE(Classify().ok());
  EXPECT_THAT(outcomes_, ElementsAre("no file", "characters read: 2", "text is empty", "no other",
                                     "characters read: 3"));
}

TEST_F(BulkClassificationTest, ManyMoreTextsThanMayWaitAreClassified) {
  for (int i = 0; i < 5000; ++i) texts_.emplace_back("a");
  EXPECT_TRUE(Classify().ok());
  EXPECT_EQ(outcomes_.size(), 5000u);
}

TEST_F(BulkClassificationTest, NoMoreAreSentThanMayWait) {
  service_.on_classify_stream = [](grpc::ServerContext*, testing::ClassifierStream* stream) {
    v1::ClassifyStreamRequest request;
    for (int i = 0; i < 1024; ++i) stream->Read(&request);
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "enough");
  };
  int given = 0;
  const absl::Status status = client_->ClassifyStream(
      [&]() -> std::optional<absl::StatusOr<std::string>> {
        ++given;
        return "a";
      },
      {}, [](int64_t, const auto&) {});
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(given, 1024);
}

TEST_F(BulkClassificationTest, AnErrorOfTheCallEndsIt) {
  service_.on_classify_stream = [](grpc::ServerContext*, testing::ClassifierStream* stream) {
    v1::ClassifyStreamRequest request;
    stream->Read(&request);
    stream->Write(testing::StreamAnswer(0, request.text()));
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
  };
  texts_ = {"a", "b"};
  const absl::Status status = Classify();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_FALSE(IsUnreachable(status));
  EXPECT_THAT(outcomes_, ElementsAre("characters read: 1"));
}

TEST_F(BulkClassificationTest, CancellationEndsTheCall) {
  testing::FakeGenerationService holder;
  service_.on_classify_stream = [&](grpc::ServerContext* context, testing::ClassifierStream*) {
    cancellation_.Cancel();
    return holder.HoldUntilCancelled(context);
  };
  for (int i = 0; i < 5000; ++i) texts_.emplace_back("a");
  EXPECT_TRUE(absl::IsCancelled(Classify({.cancellation = &cancellation_})));
  holder.WaitForCancellation();
}

TEST_F(BulkClassificationTest, AnswersThatAreNotTheTextsAreAnError) {
  v1::ClassifyStreamResponse wrong;
  service_.on_classify_stream = [&](grpc::ServerContext*, testing::ClassifierStream* stream) {
    v1::ClassifyStreamRequest request;
    stream->Read(&request);
    stream->Write(wrong);
    while (stream->Read(&request)) {
    }
    return grpc::Status::OK;
  };
  texts_ = {"a", "b"};
  wrong = testing::StreamAnswer(1, "b");
  EXPECT_THAT(Classify().ToString(), HasSubstr("INTERNAL: the server answered text 1"));
  wrong = {};
  EXPECT_THAT(Classify().ToString(), HasSubstr("INTERNAL: the server's answer to text 0"));
  EXPECT_TRUE(outcomes_.empty());
}

TEST_F(BulkClassificationTest, AServerThatLeavesTextsOutIsAnError) {
  service_.on_classify_stream = [](grpc::ServerContext*, testing::ClassifierStream* stream) {
    v1::ClassifyStreamRequest request;
    while (stream->Read(&request)) {
    }
    return grpc::Status::OK;
  };
  texts_ = {"a"};
  EXPECT_THAT(Classify().ToString(), HasSubstr("INTERNAL: the server ended the stream after 0"));
}

TEST_F(BulkClassificationTest, AServerThatEndsBeforeTheTextsDoIsAnError) {
  service_.on_classify_stream = [](grpc::ServerContext*, testing::ClassifierStream* stream) {
    v1::ClassifyStreamRequest request;
    for (int i = 0; i < 10 && stream->Read(&request); ++i) {
      stream->Write(testing::StreamAnswer(i, request.text()));
    }
    return grpc::Status::OK;
  };
  for (int i = 0; i < 5000; ++i) texts_.emplace_back("a");
  EXPECT_THAT(Classify().ToString(), HasSubstr("INTERNAL: the server ended the stream after 10"));
}

TEST_F(BulkClassificationTest, AnErrorWithoutACodeIsStillAnError) {
  service_.on_classify_stream = [](grpc::ServerContext*, testing::ClassifierStream* stream) {
    v1::ClassifyStreamRequest request;
    stream->Read(&request);
    v1::ClassifyStreamResponse answer;
    answer.mutable_error()->set_message("no code");
    stream->Write(answer);
    stream->Read(&request);  // until the client has sent all
    return grpc::Status::OK;
  };
  texts_ = {"a"};
  EXPECT_TRUE(Classify().ok());
  EXPECT_THAT(outcomes_, ElementsAre("no code"));
}

}  // namespace
}  // namespace windowkv::client
