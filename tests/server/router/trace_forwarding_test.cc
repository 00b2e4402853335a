#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/server/router/router_fixture.h"

namespace windowkv {
namespace {

using ::testing::ElementsAre;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr char kOfTheTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01";

std::string Parent(const grpc::ServerContext& context) {
  const auto [begin, end] = context.client_metadata().equal_range("traceparent");
  return begin == end ? "" : std::string(begin->second.data(), begin->second.size());
}

class TraceForwardingTest : public RouterFixture {
 protected:
  // `backends` backends, all but the last of which refuse.
  void Start(int backends) {
    StartRouter({.backends = backends, .max_retries = backends});
    for (int i = 0; i < backends; ++i) {
      backend(i).service.on_generate = [this, last = i == backends - 1](
                                           const auto& request, auto* context, auto* writer) {
        at_backends_.push_back(Parent(*context));
        if (!last) return testing::DetailedStatus(grpc::StatusCode::UNAVAILABLE, "full", "", 1);
        writer->Write(testing::AcceptedMessage(request));
        writer->Write(testing::FinishedMessage());
        return grpc::Status::OK;
      };
      backend(i).SetFreeBlocks(900 - 100 * i);  // the order in which they are tried
    }
    poller_->PollNow();
    classifier_.on_classify = [this](const auto&, auto* context, auto* response) {
      at_classifier_ = Parent(*context);
      auto* verdict = response->add_classifications();
      verdict->set_task(v1::TASK_LOCALIZATION);
      verdict->set_confidence(1);
      return grpc::Status::OK;
    };
  }

  grpc::Status GenerateIn(const std::string& traceparent) {
    grpc::ClientContext context;
    if (!traceparent.empty()) context.AddMetadata("traceparent", traceparent);
    auto reader = stub_->Generate(&context, TextRequest());
    for (v1::GenerateResponse message; reader->Read(&message);) {
    }
    return reader->Finish();
  }

  std::string at_classifier_;
  std::vector<std::string> at_backends_;
};

TEST_F(TraceForwardingTest, ClassifierAndBackendSeeTheClientsTraceAndTheRoutersSpan) {
  Start(1);
  ASSERT_TRUE(GenerateIn(kParent).ok());
  EXPECT_THAT(at_classifier_, MatchesRegex(kOfTheTrace));
  EXPECT_NE(at_classifier_, kParent);
  EXPECT_THAT(at_backends_, ElementsAre(at_classifier_));
}

TEST_F(TraceForwardingTest, ARetryStaysInTheTrace) {
  Start(2);
  ASSERT_TRUE(GenerateIn(kParent).ok());
  ASSERT_THAT(at_backends_, SizeIs(2));
  EXPECT_THAT(at_backends_, ElementsAre(MatchesRegex(kOfTheTrace), at_backends_[0]));
}

TEST_F(TraceForwardingTest, AMalformedParentIsReplacedByANewTrace) {
  Start(1);
  ASSERT_TRUE(GenerateIn("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7").ok());
  EXPECT_THAT(at_backends_, ElementsAre(MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-00")));
  EXPECT_THAT(at_backends_, ElementsAre(Not(MatchesRegex(kOfTheTrace))));
}

TEST_F(TraceForwardingTest, RequestsWithoutATraceGetOneEach) {
  Start(1);
  ASSERT_TRUE(GenerateIn("").ok());
  ASSERT_TRUE(GenerateIn("").ok());
  ASSERT_THAT(at_backends_, SizeIs(2));
  EXPECT_NE(at_backends_[0].substr(3, 32), at_backends_[1].substr(3, 32));
}

TEST_F(TraceForwardingTest, AUnaryCallIsForwardedInItsTrace) {
  Start(1);
  std::string at_backend;
  grpc::ClientContext context;
  context.AddMetadata("traceparent", kParent);
  backend(0).service.on_tokenize = [&](const auto&, grpc::ServerContext* call) {
    at_backend = Parent(*call);
    return v1::TokenizeResponse();
  };
  v1::TokenizeResponse tokens;
  ASSERT_TRUE(stub_->Tokenize(&context, {}, &tokens).ok());
  EXPECT_THAT(at_backend, MatchesRegex(kOfTheTrace));
}

}  // namespace
}  // namespace windowkv
