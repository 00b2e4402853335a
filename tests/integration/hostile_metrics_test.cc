#include <httplib.h>

#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/impl/codegen/client_unary_call.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "tests/integration/metrics_page.h"
#include "tests/integration/process_usage.h"
#include "tests/integration/running_servers.h"
#include "tests/integration/stream_crowd.h"
#include "windowkv/v1/classifier.grpc.pb.h"

namespace windowkv::testing {
namespace {

constexpr int64_t kMegabyte = 1 << 20;

class HostileMetricsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto servers = RunningServers::Start();
    ASSERT_TRUE(servers.ok()) << servers.status();
    servers_ = *std::move(servers);
  }

  std::vector<const RunningServer*> Servers() const {
    return {&servers_.router, &servers_.generation, &servers_.classifier};
  }

  // The series of each server.
  std::vector<std::set<std::string>> Series() const {
    std::vector<std::set<std::string>> series;
    for (const RunningServer* server : Servers()) {
      const auto page = ReadMetrics(server->http);
      EXPECT_TRUE(page.ok()) << page.status();
      series.push_back(SeriesOf(page.value_or("")));
      EXPECT_FALSE(series.back().empty());
    }
    return series;
  }

  RunningServers servers_;
};

// Sends requests whose every free field has a value that was never there before.
class Attacker {
 public:
  explicit Attacker(const RunningServers& servers) : servers_(servers) {
    for (const RunningServer* server : {&servers.router, &servers.generation}) {
      generation_.push_back(Connect(*server));
    }
    classifier_ = Connect(servers.classifier);
  }

  void Strike() {
    for (const auto& channel : generation_) {
      const auto stub = v1::GenerationService::NewStub(channel);
      Generate(stub.get(), AcceptableRequest());
      v1::GenerateRequest request = AcceptableRequest();
      request.set_task(static_cast<v1::Task>(NewNumber()));
      Generate(stub.get(), request);
      request = AcceptableRequest();
      request.mutable_cache()->set_policy(static_cast<v1::CachePolicy>(NewNumber()));
      request.mutable_cache()->set_strategy(static_cast<v1::Strategy>(NewNumber()));
      Generate(stub.get(), request);
      CallMethod(channel, "/windowkv.v1.GenerationService/" + NewWord());
      CallMethod(channel, "/" + NewWord() + "/Generate");
    }
    Classify();
    CallMethod(classifier_, "/windowkv.v1.ClassifierService/" + NewWord());
    for (const auto& server : {&servers_.router, &servers_.generation, &servers_.classifier}) {
      httplib::Client http("http://" + server->http);
      EXPECT_EQ(http.Get("/" + NewWord())->status, 404);
      EXPECT_EQ(http.Get("/metrics?model=" + NewWord(), httplib::Headers{{"X-Tenant", NewWord()}})
                    ->status,
                200);
    }
  }

 private:
  static std::shared_ptr<grpc::Channel> Connect(const RunningServer& server) {
    return grpc::CreateChannel(server.grpc, grpc::InsecureChannelCredentials());
  }

  std::string NewWord() { return absl::StrCat("word", random_()); }
  int NewNumber() { return static_cast<int>(100 + random_() % 1'000'000'000); }

  std::unique_ptr<grpc::ClientContext> NewContext() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    for (const char* key : {"model", "tenant", "x-request-id", "authorization", "traceparent"}) {
      context->AddMetadata(key, NewWord());
    }
    context->AddMetadata("key-" + NewWord(), NewWord());
    return context;
  }

  v1::GenerateRequest AcceptableRequest() {
    v1::GenerateRequest request = WindRequest(1);
    request.set_request_id(NewWord());
    request.set_text("Of " + NewWord());
    request.set_priority(NewNumber() % 10);
    request.mutable_sampling()->add_stop(NewWord());
    return request;
  }

  void Generate(v1::GenerationService::Stub* stub, const v1::GenerateRequest& request) {
    const auto context = NewContext();
    auto reader = stub->Generate(context.get(), request);
    for (v1::GenerateResponse message; reader->Read(&message);) {
    }
    const grpc::StatusCode code = reader->Finish().error_code();
    EXPECT_TRUE(code == grpc::StatusCode::OK || code == grpc::StatusCode::INVALID_ARGUMENT) << code;
  }

  void Classify() {
    const auto context = NewContext();
    v1::ClassifyRequest request;
    request.set_request_id(NewWord());
    request.add_texts("Who is " + NewWord());
    v1::ClassifyResponse response;
    EXPECT_TRUE(v1::ClassifierService::NewStub(classifier_)
                    ->Classify(context.get(), request, &response)
                    .ok());
  }

  void CallMethod(const std::shared_ptr<grpc::Channel>& channel, const std::string& path) {
    const grpc::internal::RpcMethod method(path.c_str(), grpc::internal::RpcMethod::NORMAL_RPC,
                                           channel);
    const auto context = NewContext();
    v1::ClassifyResponse response;
    const grpc::Status status =
        grpc::internal::BlockingUnaryCall<v1::ClassifyRequest, v1::ClassifyResponse>(
            channel.get(), method, context.get(), {}, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }

  const RunningServers& servers_;
  std::mt19937_64 random_{1};
  std::vector<std::shared_ptr<grpc::Channel>> generation_;
  std::shared_ptr<grpc::Channel> classifier_;
};

TEST_F(HostileMetricsTest, NothingThatAClientSendsBecomesASeries) {
  Attacker attacker(servers_);
  attacker.Strike();  // the series of what happened at all
  const auto before = Series();
  for (int i = 0; i < 100; ++i) attacker.Strike();
  EXPECT_EQ(Series(), before);
  for (const std::set<std::string>& series : before) EXPECT_LT(series.size(), 1500u);
}

// Scrapes the servers in turn, on several threads, until it is stopped.
class ScrapeStorm {
 public:
  explicit ScrapeStorm(const std::vector<const RunningServer*>& servers) {
    for (int i = 0; i < 4; ++i) {
      threads_.emplace_back([this, servers] {
        for (size_t turn = 0; !stopped_ || scrapes_ < kLeast; ++turn) {
          const auto page = ReadMetrics(servers[turn % servers.size()]->http);
          EXPECT_TRUE(page.ok()) << page.status();
          if (!page.ok()) return;
          ++scrapes_;
        }
      });
    }
  }

  // After at least a thousand scrapes; returns how many a second there were.
  double Stop() {
    stopped_ = true;
    for (std::thread& thread : threads_) thread.join();
    return scrapes_ / absl::ToDoubleSeconds(absl::Now() - began_);
  }

 private:
  static constexpr int kLeast = 1000;

  const absl::Time began_ = absl::Now();
  std::atomic<bool> stopped_ = false;
  std::atomic<int> scrapes_ = 0;
  std::vector<std::thread> threads_;
};

TEST_F(HostileMetricsTest, AStormOfScrapesLeavesStreamsAndServersAsTheyAre) {
  const v1::GenerateRequest request = WindRequest(300);
  StreamCrowd calm(servers_.router.grpc, 8, request);
  const std::string expected = calm.Join()[0].text;
  ASSERT_FALSE(expected.empty());
  ScrapeStorm(Servers()).Stop();  // what the processes keep for scrapes is there now
  std::vector<int64_t> memory;
  std::vector<int> threads;
  for (const RunningServer* server : Servers()) {
    memory.push_back(ResidentBytes(server->process->pid()));
    threads.push_back(Threads(server->process->pid()));
  }

  ScrapeStorm storm(Servers());
  StreamCrowd crowd(servers_.router.grpc, 8, request);
  for (const StreamOutcome& outcome : crowd.Join()) {
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
    EXPECT_EQ(outcome.text, expected);
  }
  RecordProperty("scrapes_per_second", absl::StrCat(storm.Stop()));

  for (size_t i = 0; i < memory.size(); ++i) {
    const pid_t pid = Servers()[i]->process->pid();
    EXPECT_LT(ResidentBytes(pid) - memory[i], 16 * kMegabyte) << "server " << i;
    EXPECT_LE(Threads(pid), threads[i] + 4) << "server " << i;
  }
}

}  // namespace
}  // namespace windowkv::testing
