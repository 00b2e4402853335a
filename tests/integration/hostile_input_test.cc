#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "tests/integration/process_usage.h"
#include "tests/integration/running_servers.h"
#include "tests/integration/stream_crowd.h"

namespace windowkv::testing {
namespace {

constexpr int64_t kMegabyte = 1 << 20;

class HostileInputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(
        StartOne("windowkv-generation", ModelFlags("demo_llama"), &generation_));
    ASSERT_NO_FATAL_FAILURE(StartOne(
        "windowkv-router", {"--classifier", "", "--generation", generation_.grpc}, &router_));
  }
  static void StartOne(const std::string& name, std::vector<std::string> flags,
                       RunningServer* server) {
    flags.insert(flags.end(), {"--connection-memory", "64MiB"});
    auto started = StartServer(name, flags);
    ASSERT_TRUE(started.ok()) << started.status();
    *server = *std::move(started);
    ASSERT_TRUE(WaitUntilServing(server->grpc).ok());
  }

  std::vector<const RunningServer*> Servers() const { return {&router_, &generation_}; }

  static grpc::Status Generate(v1::GenerationService::Stub* stub,
                               const v1::GenerateRequest& request,
                               grpc_compression_algorithm compression = GRPC_COMPRESS_NONE) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    context.set_compression_algorithm(compression);
    auto reader = stub->Generate(&context, request);
    for (v1::GenerateResponse message; reader->Read(&message);) {
    }
    return reader->Finish();
  }

  static std::unique_ptr<v1::GenerationService::Stub> Connect(const RunningServer& server) {
    return v1::GenerationService::NewStub(
        grpc::CreateChannel(server.grpc, grpc::InsecureChannelCredentials()));
  }

  // Each server refuses the request without spending much memory on it, and goes on.
  void ExpectRefused(const v1::GenerateRequest& request, grpc_compression_algorithm compression,
                     grpc::StatusCode code) {
    for (const RunningServer* server : Servers()) {
      const int64_t peak = PeakResidentBytes(server->process->pid());
      const grpc::Status status = Generate(Connect(*server).get(), request, compression);
      EXPECT_EQ(status.error_code(), code) << status.error_message();
      EXPECT_LT(PeakResidentBytes(server->process->pid()) - peak, 128 * kMegabyte);
      EXPECT_TRUE(Generate(Connect(*server).get(), WindRequest(1)).ok());
    }
  }

  RunningServer generation_;
  RunningServer router_;
};

TEST_F(HostileInputTest, AMessageOfAGigabyteIsRefused) {
  v1::GenerateRequest request;
  request.mutable_text()->resize(1'000'000'000, 'x');
  ExpectRefused(request, GRPC_COMPRESS_NONE, grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(HostileInputTest, ACompressedMessageIsRefusedPacked) {
  v1::GenerateRequest request;
  request.set_text(std::string(256 * kMegabyte, 'x'));
  ExpectRefused(request, GRPC_COMPRESS_GZIP, grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(HostileInputTest, AMessageThatDoesNotParseIsUnimplemented) {
  v1::GenerateRequest request;
  request.set_text("\xFF is no UTF-8");
  ExpectRefused(request, GRPC_COMPRESS_NONE, grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(HostileInputTest, LongTextsAreNotTokenized) {
  v1::TokenizeRequest request;
  for (int i = 0; i < 2'000'000; ++i)
    request.mutable_text()->append(i % 3 == 0 ? "wind. " : "a sea, ");
  for (const RunningServer* server : Servers()) {
    const int64_t peak = PeakResidentBytes(server->process->pid());
    std::vector<std::thread> callers;
    for (int i = 0; i < 8; ++i) {
      callers.emplace_back([&] {
        grpc::ClientContext context;
        context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
        v1::TokenizeResponse response;
        const grpc::Status status = Connect(*server)->Tokenize(&context, request, &response);
        // The latter from gRPC, when the messages together are too much.
        EXPECT_TRUE(status.error_code() == grpc::StatusCode::OUT_OF_RANGE ||
                    status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED)
            << status.error_code() << ": " << status.error_message();
      });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_LT(PeakResidentBytes(server->process->pid()) - peak, 400 * kMegabyte);
  }
}

TEST_F(HostileInputTest, AHundredThousandTinyRequestsLeaveNothingBehind) {
  constexpr int kThreads = 16;
  const auto stub = Connect(router_);
  auto send = [&](int requests) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&stub, requests_each = requests / kThreads] {
        for (int sent = 0; sent < requests_each; ++sent) {
          EXPECT_EQ(Generate(stub.get(), {}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  };
  send(10'000);  // what the processes keep for later calls is there now
  std::vector<int64_t> memory;
  std::vector<int> descriptors;
  for (const RunningServer* server : Servers()) {
    memory.push_back(ResidentBytes(server->process->pid()));
    descriptors.push_back(OpenFileDescriptors(server->process->pid()));
  }
  send(90'000);
  for (size_t i = 0; i < memory.size(); ++i) {
    const pid_t pid = Servers()[i]->process->pid();
    EXPECT_LT(ResidentBytes(pid) - memory[i], 8 * kMegabyte) << "server " << i;
    EXPECT_LE(OpenFileDescriptors(pid), descriptors[i]) << "server " << i;
  }
}

}  // namespace
}  // namespace windowkv::testing
