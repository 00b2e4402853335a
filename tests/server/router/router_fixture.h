#ifndef WINDOWKV_TESTS_SERVER_ROUTER_ROUTER_FIXTURE_H_
#define WINDOWKV_TESTS_SERVER_ROUTER_ROUTER_FIXTURE_H_

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/metrics/metrics_registry.h"
#include "server/router/backend_pool.h"
#include "server/router/load_poller.h"
#include "server/router/router_services.h"
#include "server/router/task_decider.h"
#include "tests/testing/fake_generation_server.h"

namespace windowkv {

// A router on a real socket before fake backends and a fake classifier. Load is asked for only when
// the test says so.
class RouterFixture : public ::testing::Test {
 protected:
  struct Options {
    int backends = 1;
    bool classifier = true;
    absl::Duration classifier_timeout = absl::Seconds(20);
    double min_task_confidence = 0.7;
    size_t task_cache_entries = 4096;
    int max_retries = 2;
    absl::Duration slow_reader_timeout = absl::InfiniteDuration();
    Logger logger = Logger::Silent();
  };

  // A backend as the test sees it; `server` may be reset to take it down.
  struct FakeBackend {
    testing::FakeGenerationService service;
    std::unique_ptr<testing::FakeServer> server = std::make_unique<testing::FakeServer>(&service);
    int port = server->port();

    void SetFreeBlocks(int64_t blocks) {
      v1::Load load;
      load.set_free_kv_blocks(blocks);
      load.set_total_kv_blocks(1000);
      load.set_accepting(true);
      service.SetLoad(load);
    }
  };

  static constexpr int64_t kMaxWaitingBytes = int64_t{1} << 20;

  void StartRouter(const Options& options) {
    std::vector<std::string> targets;
    for (int i = 0; i < options.backends; ++i) {
      backends_.push_back(std::make_unique<FakeBackend>());
      targets.push_back(backends_.back()->server->target());
    }
    TaskDecider::Options task;
    task.default_task = v1::TASK_AGGREGATION;
    task.timeout = options.classifier_timeout;
    task.min_confidence = options.min_task_confidence;
    task.cache.max_entries = options.task_cache_entries;
    if (options.classifier) task.classifiers = {classifier_server_->target()};
    pool_ = std::make_unique<BackendPool>(targets, &metrics_, Logger::Silent());
    decider_ = std::make_unique<TaskDecider>(task, &metrics_);
    poller_ = std::make_unique<LoadPoller>(
        pool_.get(),
        LoadPoller::Options{.interval = absl::InfiniteDuration(), .timeout = absl::Seconds(20)});
    slow_readers_ = std::make_unique<SlowReaders>(options.slow_reader_timeout,
                                                  [this] { metrics_.OnSlowReader(); });
    service_ =
        std::make_unique<RoutedGenerationService>(RelayContext{.pool = pool_.get(),
                                                               .decider = decider_.get(),
                                                               .metrics = &metrics_,
                                                               .open_relays = &open_relays_,
                                                               .slow_readers = slow_readers_.get(),
                                                               .logger = options.logger,
                                                               .max_retries = options.max_retries});
    server_ = std::make_unique<testing::FakeServer>(service_.get());
    stub_ = v1::GenerationService::NewStub(
        grpc::CreateChannel(server_->target(), grpc::InsecureChannelCredentials()));
    poller_->PollNow();
  }

  static v1::GenerateRequest TextRequest() {
    v1::GenerateRequest request;
    request.set_text("a document and a question");
    return request;
  }

  struct Answer {
    grpc::Status status;
    std::vector<v1::GenerateResponse> messages;
  };

  Answer Generate(const v1::GenerateRequest& request) {
    grpc::ClientContext context;
    auto reader = stub_->Generate(&context, request);
    Answer answer;
    for (v1::GenerateResponse message; reader->Read(&message);) answer.messages.push_back(message);
    answer.status = reader->Finish();
    return answer;
  }

  FakeBackend& backend(size_t index) { return *backends_[index]; }
  size_t RequestsAt(size_t index) { return backend(index).service.requests().size(); }
  bool MetricsHave(const std::string& line) const {
    return registry_.Text().find(line) != std::string::npos;
  }

  MetricsRegistry registry_;
  RouterMetrics metrics_{&registry_};
  std::vector<std::unique_ptr<FakeBackend>> backends_;
  testing::FakeClassifierService classifier_;
  std::unique_ptr<testing::FakeServer> classifier_server_ =
      std::make_unique<testing::FakeServer>(&classifier_);
  std::unique_ptr<BackendPool> pool_;
  std::unique_ptr<TaskDecider> decider_;
  std::unique_ptr<LoadPoller> poller_;
  OpenRelays open_relays_{kMaxWaitingBytes};
  std::unique_ptr<SlowReaders> slow_readers_;
  std::unique_ptr<RoutedGenerationService> service_;
  std::unique_ptr<testing::FakeServer> server_;
  std::unique_ptr<v1::GenerationService::Stub> stub_;
};

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_SERVER_ROUTER_ROUTER_FIXTURE_H_
