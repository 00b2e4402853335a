// What the router costs: memory of an idle stream, and the time that forwarding adds to a message,
// against the same backend called directly in the same run. Prints each figure beside its limit;
// ends with 1 when one is missed.

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_callback.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "engine/base/monotonic_clock.h"
#include "tests/bench/paced_backend.h"
#include "tests/integration/process_usage.h"
#include "tests/integration/running_servers.h"
#include "windowkv/v1/generation.grpc.pb.h"

namespace windowkv::bench {
namespace {

constexpr size_t kIdleStreams = 10'000;
constexpr double kMaxKilobytesPerStream = 40;

constexpr size_t kStreams = 200;
constexpr size_t kSamplesPerRound = 12'000;
constexpr int kRounds = 5;
constexpr absl::Duration kMessageInterval = absl::Milliseconds(50);  // 20 tokens a second each
constexpr double kMaxAddedMedianMs = 1;
constexpr double kMaxAddedP99Ms = 5;

// Delays of messages and of first answers, from many streams. Thread-safe.
class Delays {
 public:
  void AddFirst(absl::Duration delay) {
    std::lock_guard lock(mu_);
    first_.push_back(absl::ToDoubleMilliseconds(delay));
    changed_.notify_all();
  }
  void AddMessage(absl::Duration delay) {
    std::lock_guard lock(mu_);
    if (!counting_) return;
    messages_.push_back(absl::ToDoubleMilliseconds(delay));
    changed_.notify_all();
  }
  void WaitForFirst(size_t count) {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [&] { return first_.size() >= count; });
  }
  // Collects so many messages' delays from now on.
  void CollectMessages(size_t count) {
    std::unique_lock lock(mu_);
    counting_ = true;
    changed_.wait(lock, [&] { return messages_.size() >= count; });
    counting_ = false;
  }
  // After the streams ended.
  std::vector<double> first() const { return first_; }
  std::vector<double> messages() const { return messages_; }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool counting_ = false;
  std::vector<double> first_;
  std::vector<double> messages_;
};

// One Generate call that is read until it is cancelled. Destroyed after its end.
class Reader final : public grpc::ClientReadReactor<v1::GenerateResponse> {
 public:
  Reader(v1::GenerationService::Stub* stub, const std::string& text, Delays* delays)
      : delays_(delays) {
    request_.set_text(text);
    request_.mutable_cache()->set_policy(v1::CACHE_POLICY_FULL);  // so that no task is needed
    stub->async()->Generate(&context_, &request_, this);
    StartRead(&message_);
    StartCall();
  }
  ~Reader() override {
    context_.TryCancel();
    std::unique_lock lock(mu_);
    done_changed_.wait(lock, [this] { return done_; });
  }
  void Cancel() { context_.TryCancel(); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (message_.has_chunk()) {
      delays_->AddMessage(AgeOf(message_.chunk().text()));
    } else {
      delays_->AddFirst(MonotonicNow() - began_);
    }
    StartRead(&message_);
  }
  void OnDone(const grpc::Status&) override {
    std::lock_guard lock(mu_);
    done_ = true;
    done_changed_.notify_all();
  }

  Delays* const delays_;  // not owned
  const absl::Duration began_ = MonotonicNow();
  grpc::ClientContext context_;
  v1::GenerateRequest request_;
  v1::GenerateResponse message_;
  std::mutex mu_;
  std::condition_variable done_changed_;
  bool done_ = false;  // guarded by mu_
};

std::unique_ptr<v1::GenerationService::Stub> Connect(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  return v1::GenerationService::NewStub(
      grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
}

double Percentile(std::vector<double> values, double share) {
  const auto rank = static_cast<size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<long>(rank), values.end());
  return values[rank];
}

// Opens the streams one after the other, so that each first answer is timed alone, and reads their
// messages.
void Measure(const std::string& target, PacedBackend* backend, std::vector<double>* first,
             std::vector<double>* messages) {
  const auto stub = Connect(target);
  Delays delays;
  std::vector<std::unique_ptr<Reader>> readers;
  for (size_t i = 0; i < kStreams; ++i) {
    readers.push_back(std::make_unique<Reader>(stub.get(), "paced", &delays));
    delays.WaitForFirst(i + 1);
  }
  delays.CollectMessages(kSamplesPerRound);
  for (const auto& reader : readers) reader->Cancel();
  readers.clear();
  backend->WaitForStreams(0);
  for (const double value : delays.first()) first->push_back(value);
  for (const double value : delays.messages()) messages->push_back(value);
}

// Prints a figure and whether it is within its limit.
bool Report(const std::string& name, double value, double limit, const std::string& unit) {
  const bool within = value <= limit;
  std::cout << absl::StrFormat("%-44s %8.3f %s, limit %g: %s\n", name, value, unit, limit,
                               within ? "ok" : "MISSED");
  return within;
}

bool CompareDelays(const std::string& what, const std::vector<double>& direct,
                   const std::vector<double>& routed) {
  bool within = true;
  for (const auto& [name, share, limit] :
       {std::tuple{"p50", 0.5, kMaxAddedMedianMs}, std::tuple{"p99", 0.99, kMaxAddedP99Ms}}) {
    const double from_backend = Percentile(direct, share);
    const double through_router = Percentile(routed, share);
    std::cout << absl::StrFormat("%s %s: direct %.3f ms, through the router %.3f ms\n", what, name,
                                 from_backend, through_router);
    within &= Report(absl::StrCat("  forwarding adds, ", name), through_router - from_backend,
                     limit, "ms");
  }
  return within;
}

bool MeasureForwarding(const std::string& router, PacedBackend* backend) {
  std::vector<double> first_direct;
  std::vector<double> first_routed;
  std::vector<double> direct;
  std::vector<double> routed;
  for (int round = 0; round < kRounds; ++round) {
    Measure(backend->target(), backend, &first_direct, &direct);
    Measure(router, backend, &first_routed, &routed);
  }
  std::cout << kStreams << " streams, a message every " << absl::FormatDuration(kMessageInterval)
            << " each, " << kRounds << " rounds in turn\n";
  const bool first_within = CompareDelays("first answer", first_direct, first_routed);
  return CompareDelays("message", direct, routed) && first_within;
}

bool MeasureIdleStreams(const testing::RunningServer& router, PacedBackend* backend) {
  constexpr size_t kConnections = 10;
  std::vector<std::unique_ptr<v1::GenerationService::Stub>> stubs;
  for (size_t i = 0; i < kConnections; ++i) stubs.push_back(Connect(router.grpc));
  Delays delays;
  std::vector<std::unique_ptr<Reader>> readers;
  auto open_up_to = [&](size_t count) {
    while (readers.size() < count) {
      readers.push_back(
          std::make_unique<Reader>(stubs[readers.size() % kConnections].get(), "idle", &delays));
    }
    backend->WaitForStreams(count);
  };
  open_up_to(kIdleStreams / 100);  // connections and threads are there
  const auto before = static_cast<double>(testing::ResidentBytes(router.process->pid()));
  open_up_to(kIdleStreams);
  const auto after = static_cast<double>(testing::ResidentBytes(router.process->pid()));
  for (const auto& reader : readers) reader->Cancel();
  readers.clear();
  backend->WaitForStreams(0);
  std::cout << absl::StrFormat("%d idle streams: router holds %.1f MB before, %.1f MB with them\n",
                               kIdleStreams, before / 1e6, after / 1e6);
  return Report("  memory of an idle stream", (after - before) / 1024 / (0.99 * kIdleStreams),
                kMaxKilobytesPerStream, "KB");
}

int Main(const char* program) {
  const auto bin_dir = std::filesystem::absolute(program).parent_path();
  setenv("WINDOWKV_BIN_DIR", bin_dir.c_str(), 1);
  PacedBackend backend(kMessageInterval);
  const auto router = testing::StartServer(
      "windowkv-router",
      {"--classifier", "", "--generation", backend.target(), "--log-level", "warning"});
  if (!router.ok()) {
    std::cerr << router.status() << "\n";
    return 1;
  }
  const bool forwarding = MeasureForwarding(router->grpc, &backend);
  const bool memory = MeasureIdleStreams(*router, &backend);
  return forwarding && memory ? 0 : 1;
}

}  // namespace
}  // namespace windowkv::bench

int main(int, char** argv) { return windowkv::bench::Main(argv[0]); }
