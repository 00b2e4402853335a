#include "server/rpc/server_process.h"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "windowkv/v1/classifier.grpc.pb.h"

namespace windowkv {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

// Answers when it is allowed to.
class FakeClassifier final : public v1::ClassifierService::Service {
 public:
  grpc::Status Classify(grpc::ServerContext*, const v1::ClassifyRequest*,
                        v1::ClassifyResponse* response) override {
    std::unique_lock lock(mu_);
    ++started_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    response->set_model("fake");
    return grpc::Status::OK;
  }
  void Close() {
    std::lock_guard lock(mu_);
    open_ = false;
  }
  void Open() {
    std::lock_guard lock(mu_);
    open_ = true;
    changed_.notify_all();
  }
  void WaitForACall() {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [this] { return started_ > 0; });
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool open_ = true;
  int started_ = 0;
};

const char* ServiceName() { return v1::ClassifierService::service_full_name(); }

class ServerProcessTest : public ::testing::Test {
 protected:
  static ServerOptions Options() {
    ServerOptions options;
    options.program = "windowkv-test";
    options.listen = {"127.0.0.1", 0};
    options.drain_timeout = absl::Seconds(20);
    return options;
  }

  ServedProgram Program() {
    ServedProgram program;
    program.services = {{ServiceName(), &classifier_}};
    program.health_interval = absl::Milliseconds(1);
    return program;
  }

  static std::unique_ptr<ServerProcess> Start(ServedProgram program) {
    auto process = ServerProcess::Start(Options(), std::move(program), Logger::Silent());
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  static std::shared_ptr<grpc::Channel> ChannelTo(const ServerProcess& process) {
    return grpc::CreateChannel(process.address().ToString(), grpc::InsecureChannelCredentials());
  }

  static HealthCheckResponse::ServingStatus CheckHealth(const ServerProcess& process,
                                                        const std::string& service) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    const auto status = Health::NewStub(ChannelTo(process))->Check(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  }

  static grpc::Status Classify(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    v1::ClassifyResponse response;
    return v1::ClassifierService::NewStub(channel)->Classify(&context, {}, &response);
  }

  FakeClassifier classifier_;
};

TEST_F(ServerProcessTest, ServesOnAFreePortWithHealth) {
  auto process = Start(Program());
  EXPECT_GT(process->address().port, 0);
  EXPECT_TRUE(process->serving());
  EXPECT_EQ(CheckHealth(*process, ""), HealthCheckResponse::SERVING);
  EXPECT_EQ(CheckHealth(*process, ServiceName()), HealthCheckResponse::SERVING);
  EXPECT_TRUE(Classify(ChannelTo(*process)).ok());
}

TEST_F(ServerProcessTest, ATakenPortIsUnavailableNamingTheAddress) {
  auto first = Start(Program());
  ServerOptions options = Options();
  options.listen = first->address();
  const auto second = ServerProcess::Start(options, Program(), Logger::Silent());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(first->address().ToString()));
}

TEST_F(ServerProcessTest, HealthFollowsTheProgram) {
  std::atomic<bool> healthy = true;
  ServedProgram program = Program();
  program.is_healthy = [&healthy] { return healthy.load(); };
  auto process = Start(std::move(program));
  grpc::ClientContext context;
  auto stub = Health::NewStub(ChannelTo(*process));
  auto watch = stub->Watch(&context, HealthCheckRequest());
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  healthy = false;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(process->serving());
  healthy = true;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
}

TEST_F(ServerProcessTest, StillAnswersWhileItDrainsButSaysNotServing) {
  ServerProcess* running = nullptr;
  int drains = 0;
  ServedProgram program = Program();
  program.drain = [&](absl::Duration timeout) {
    ++drains;
    EXPECT_EQ(timeout, absl::Seconds(20));
    EXPECT_FALSE(running->serving());
    EXPECT_TRUE(running->healthy());
    EXPECT_EQ(CheckHealth(*running, ""), HealthCheckResponse::NOT_SERVING);
    EXPECT_TRUE(Classify(ChannelTo(*running)).ok());
  };
  auto process = Start(std::move(program));
  running = process.get();
  process->Shutdown();
  process->Shutdown();
  EXPECT_EQ(drains, 1);
}

TEST_F(ServerProcessTest, AProgramThatFallsIllWhileItDrainsIsSeen) {
  ServerProcess* running = nullptr;
  std::atomic<bool> healthy = true;
  ServedProgram program = Program();
  program.is_healthy = [&healthy] { return healthy.load(); };
  program.drain = [&](absl::Duration) {
    healthy = false;
    const absl::Time limit = absl::Now() + absl::Seconds(60);
    while (running->healthy() && absl::Now() < limit) std::this_thread::yield();
    EXPECT_FALSE(running->healthy());
    EXPECT_EQ(CheckHealth(*running, ""), HealthCheckResponse::NOT_SERVING);
  };
  auto process = Start(std::move(program));
  running = process.get();
  process->Shutdown();
}

TEST_F(ServerProcessTest, AWatchThatStaysOpenDoesNotHoldUpTheShutdown) {
  auto process = Start(Program());
  grpc::ClientContext context;
  auto stub = Health::NewStub(ChannelTo(*process));
  auto watch = stub->Watch(&context, HealthCheckRequest());
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  const absl::Time begin = absl::Now();
  process->Shutdown();
  EXPECT_LT(absl::Now() - begin, Options().drain_timeout);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(watch->Read(&response));
}

TEST_F(ServerProcessTest, ARunningCallMayEndDuringTheShutdown) {
  auto process = Start(Program());
  classifier_.Close();
  grpc::Status status(grpc::StatusCode::UNKNOWN, "not called");
  std::thread caller([&] { status = Classify(ChannelTo(*process)); });
  classifier_.WaitForACall();
  std::thread stopper([&] { process->Shutdown(); });
  classifier_.Open();
  stopper.join();
  caller.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

// A whole program, ended by the signal that it sends itself.
[[noreturn]] void ServeUntilASignalComes() {
  auto signals = *ShutdownSignals::Create();
  ServerOptions options;
  options.program = "windowkv-test";
  options.listen = {"127.0.0.1", 0};
  ServedProgram program;
  program.drain = [](absl::Duration) { std::cerr << "drained\n"; };
  auto process = *ServerProcess::Start(options, std::move(program), Logger::Silent());
  std::cout.rdbuf(std::cerr.rdbuf());  // where the death test reads
  signals->Arm();
  kill(getpid(), SIGTERM);
  std::_Exit(process->ServeUntilSignal({"127.0.0.1", 9199}, *signals));
}

TEST(ServerProcessDeathTest, PrintsTheReadyLineAndEndsWellAfterASignal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(ServeUntilASignalComes(), ::testing::ExitedWithCode(0),
              "windowkv-test ready: grpc 127.0.0.1:[0-9]+ http 127.0.0.1:9199\ndrained");
}

// In a process of its own, whose program fails while it serves.
void ServeUntilTheProgramFails() {
  auto signals = *ShutdownSignals::Create();
  ServerOptions options;
  options.listen = {"127.0.0.1", 0};
  ServedProgram program;
  program.has_failed = [] { return true; };
  program.health_interval = absl::Milliseconds(1);
  program.drain = [](absl::Duration) { std::cerr << "drained\n"; };
  signals->Arm();
  auto process = *ServerProcess::Start(options, std::move(program), Logger::Silent());
  std::_Exit(process->ServeUntilSignal({"127.0.0.1", 9199}, *signals));
}

TEST(ServerProcessDeathTest, AProgramThatCanNotGoOnDrainsAndEndsWithAFailure) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(ServeUntilTheProgramFails(), ::testing::ExitedWithCode(1), "drained");
}

}  // namespace
}  // namespace windowkv
