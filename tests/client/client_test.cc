#include "client/client.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

#include "client/error_details.h"
#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

TEST(ClientTest, RefusesATargetWithoutAPort) {
  for (const char* target :
       {"", "localhost", ":50050", "localhost:", "localhost:x", "localhost:0", "localhost:70000"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Client::Create({.target = target}).status())) << target;
  }
}

TEST(ClientTest, RefusesTlsFilesThatCannotBeRead) {
  const ConnectOptions options{.target = "localhost:1",
                               .tls = TlsFiles{.ca_file = "/nonexistent/ca.pem"}};
  EXPECT_TRUE(absl::IsNotFound(Client::Create(options).status()));
}

TEST(ClientTest, RefusesATlsCertificateWithoutItsKey) {
  const ConnectOptions options{.target = "localhost:1", .tls = TlsFiles{.cert_file = "cert.pem"}};
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Create(options).status()));
}

class ConnectedClientTest : public ::testing::Test {
 protected:
  testing::FakeGenerationService service_;
  testing::FakeServer server_{&service_};
  std::unique_ptr<Client> client_ = *Client::Create({.target = server_.target()});
};

TEST_F(ConnectedClientTest, HandsOverEachMessageInOrder) {
  std::string text;
  bool finished = false;
  const absl::Status status = client_->Generate({}, {}, [&](const v1::GenerateResponse& message) {
    text += message.chunk().text();
    finished = message.has_finished();
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(text, "The answer is 42.");
  EXPECT_TRUE(finished);
}

TEST_F(ConnectedClientTest, ADeadlineEndsACallThatHangs) {
  service_.on_generate = [&](const auto&, grpc::ServerContext* context, auto*) {
    return service_.HoldUntilCancelled(context);
  };
  ASSERT_TRUE(client_->GetLoad({}).ok());  // connects
  const absl::Status status =
      client_->Generate({}, {.timeout = absl::Milliseconds(50)}, [](const auto&) {});
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_FALSE(IsUnreachable(status));
  service_.WaitForCancellation();
}

TEST_F(ConnectedClientTest, CancellationEndsARunningCallAndCallsToCome) {
  Cancellation cancellation;
  service_.on_generate = [&](const auto& request, grpc::ServerContext* context, auto* writer) {
    writer->Write(testing::AcceptedMessage(request));
    return service_.HoldUntilCancelled(context);
  };
  const absl::Status status = client_->Generate({}, {.cancellation = &cancellation},
                                                [&](const auto&) { cancellation.Cancel(); });
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  service_.WaitForCancellation();
  EXPECT_TRUE(absl::IsCancelled(client_->GetLoad({.cancellation = &cancellation}).status()));
}

TEST_F(ConnectedClientTest, UnavailableWithDetailsIsAnAnswer) {
  service_.SetUnaryStatus(
      testing::DetailedStatus(grpc::StatusCode::UNAVAILABLE, "no healthy backend", "", 1));
  const absl::Status status = client_->GetModelInfo({}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_FALSE(IsUnreachable(status));
}

// Takes down what a stream says, for a test to wait for its end.
class StreamLog final : public GenerateObserver {
 public:
  void OnMessage(const v1::GenerateResponse& message) override {
    std::lock_guard lock(mu_);
    text_ += message.chunk().text();
  }
  void OnDone(const absl::Status& status) override {
    std::lock_guard lock(mu_);
    end_ = status;
    ended_.notify_all();
  }
  absl::Status WaitForEnd() {
    std::unique_lock lock(mu_);
    ended_.wait(lock, [this] { return end_.has_value(); });
    return *end_;
  }
  std::string text() const {
    std::lock_guard lock(mu_);
    return text_;
  }

 private:
  mutable std::mutex mu_;
  std::condition_variable ended_;
  std::string text_;                 // guarded by mu_
  std::optional<absl::Status> end_;  // guarded by mu_
};

TEST_F(ConnectedClientTest, AStartedCallTellsItsMessagesAndItsEnd) {
  StreamLog log;
  client_->StartGenerate({}, {}, &log);
  EXPECT_TRUE(log.WaitForEnd().ok());
  EXPECT_EQ(log.text(), "The answer is 42.");
}

TEST_F(ConnectedClientTest, AStartedCallEndsWithTheServersErrorAndItsDetails) {
  service_.on_generate = [](const auto&, auto*, auto*) {
    return testing::DetailedStatus(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", "", 3);
  };
  StreamLog log;
  client_->StartGenerate({}, {}, &log);
  const absl::Status status = log.WaitForEnd();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(DetailsOf(status).retry_after, absl::Seconds(3));
}

TEST_F(ConnectedClientTest, CancellationEndsAStartedCall) {
  service_.on_generate = [&](const auto&, grpc::ServerContext* context, auto*) {
    return service_.HoldUntilCancelled(context);
  };
  Cancellation cancellation;
  StreamLog log;
  client_->StartGenerate({}, {.cancellation = &cancellation}, &log);
  cancellation.Cancel();
  EXPECT_TRUE(absl::IsCancelled(log.WaitForEnd()));
}

TEST_F(ConnectedClientTest, AClientMayEndAsSoonAsItsLastCallHas) {
  for (int i = 0; i < 100; ++i) {
    auto client = *Client::Create({.target = server_.target()});
    Cancellation cancellation;
    StreamLog log;
    client->StartGenerate({}, {.cancellation = &cancellation}, &log);
    EXPECT_TRUE(log.WaitForEnd().ok());
  }
}

TEST(ClientTest, NobodyListeningIsUnreachable) {
  int free_port = 0;
  {
    testing::FakeGenerationService service;
    free_port = testing::FakeServer(&service).port();
  }
  auto client = Client::Create({.target = "127.0.0.1:" + std::to_string(free_port)});
  ASSERT_TRUE(client.ok());
  EXPECT_TRUE(IsUnreachable((*client)->GetLoad({.timeout = absl::Seconds(20)}).status()));
}

}  // namespace
}  // namespace windowkv::client
