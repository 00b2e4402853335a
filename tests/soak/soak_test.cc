#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/metrics_page.h"
#include "tests/integration/process_usage.h"
#include "tests/integration/running_servers.h"
#include "tests/soak/request_mix.h"
#include "windowkv/v1/generation.grpc.pb.h"

// The three servers under a crowd of impatient, careless and slow clients, then with processes
// dying under them. WINDOWKV_SOAK_SECONDS says how long; the default fits a test run.

namespace windowkv::testing {
namespace {

constexpr int kClients = 12;

double SoakSeconds() {
  const char* seconds = std::getenv("WINDOWKV_SOAK_SECONDS");
  return seconds == nullptr ? 30 : std::stod(seconds);
}

// A wait that the end of the test cuts short.
class Stop {
 public:
  void Now() {
    std::lock_guard lock(mu_);
    stopped_ = true;
    changed_.notify_all();
  }
  bool stopped() const {
    std::lock_guard lock(mu_);
    return stopped_;
  }
  void Wait(absl::Duration duration) {
    std::unique_lock lock(mu_);
    changed_.wait_for(lock, absl::ToChronoNanoseconds(duration), [this] { return stopped_; });
  }

 private:
  mutable std::mutex mu_;
  std::condition_variable changed_;
  bool stopped_ = false;
};

// What a process held at some time.
struct Usage {
  double seconds = 0;  // since the first
  int64_t resident_bytes = 0;
  int threads = 0;
  int file_descriptors = 0;
  int64_t device_bytes = 0;
};

// What the allocator of a device may add after a third of the test: a segment of large tensors, for
// a mix of prompts that had not come together before.
constexpr int64_t kDeviceGrowth = int64_t{20} << 20;

bool OnCuda() {
  const char* device = std::getenv("WINDOWKV_TEST_DEVICE");
  return device != nullptr && std::string_view(device).starts_with("cuda");
}

// Of a generation server's metrics page.
int64_t DeviceBytes(const RunningServer& server) {
  const absl::StatusOr<std::string> page = ReadMetrics(server.http);
  EXPECT_TRUE(page.ok()) << page.status();
  const std::string name = "\nwindowkv_device_memory_bytes{";
  const size_t at = page.ok() ? page->find(name) : std::string::npos;
  if (at == std::string::npos) return -1;
  return static_cast<int64_t>(std::stod(page->substr(page->find("} ", at) + 2)));
}

// Resident bytes per second, fitted by least squares.
double ResidentSlope(const std::vector<Usage>& samples) {
  const auto n = static_cast<double>(samples.size());
  double mean_x = 0;
  double mean_y = 0;
  for (const Usage& sample : samples) {
    mean_x += sample.seconds / n;
    mean_y += static_cast<double>(sample.resident_bytes) / n;
  }
  double covariance = 0;
  double variance = 0;
  for (const Usage& sample : samples) {
    const double x = sample.seconds - mean_x;
    covariance += x * (static_cast<double>(sample.resident_bytes) - mean_y);
    variance += x * x;
  }
  return variance > 0 ? covariance / variance : 0;
}

// What a client got of one request.
struct Reply {
  int accepted = 0;
  int finished = 0;
  std::vector<int32_t> tokens;
  grpc::Status status;
  std::string origin;  // of an error, in gRPC's words
};

class SoakTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (auto& backend : backends_) backend = StartBackend("127.0.0.1:0");
    auto classifier = StartServer("windowkv-classifier", ModelFlags("task_classifier"));
    ASSERT_TRUE(classifier.ok()) << classifier.status();
    classifier_ = *std::move(classifier);
    router_ = StartRouter("127.0.0.1:0");
    stub_ = v1::GenerationService::NewStub(
        grpc::CreateChannel(router_.grpc, grpc::InsecureChannelCredentials()));
    for (const v1::GenerateRequest& request : mix_.requests()) {
      Reply reply = Send(request, {});
      ASSERT_TRUE(reply.status.ok()) << reply.status.error_message();
      expected_.push_back(std::move(reply.tokens));
    }
  }

  // Small enough for requests to queue, to be preempted and to be refused.
  static RunningServer StartBackend(const std::string& listen) {
    std::vector<std::string> flags = ModelFlags("demo_llama");
    for (const char* flag :
         {"--kv-pool-bytes", "24MiB", "--max-running", "8", "--max-waiting", "6", "--threads", "1",
          "--max-preemptions", "1", "--slow-reader-timeout", "20s", "--log-level", "warning"}) {
      flags.emplace_back(flag);
    }
    // On a GPU only in float32 a sequence's tokens do not depend on the batch.
    if (const char* device = std::getenv("WINDOWKV_TEST_DEVICE")) {
      flags.insert(flags.end(), {"--device", device, "--dtype", "float32"});
    }
    return Started("windowkv-generation", flags, listen);
  }
  RunningServer StartRouter(const std::string& listen) {
    return Started(
        "windowkv-router",
        {"--generation", absl::StrCat(backends_[0].grpc, ",", backends_[1].grpc), "--classifier",
         classifier_.grpc, "--load-interval", "100ms", "--log-level", "warning"},
        listen);
  }
  static RunningServer Started(const std::string& name, const std::vector<std::string>& flags,
                               const std::string& listen) {
    ServerPlace place;
    place.listen = listen;
    absl::StatusOr<RunningServer> server = StartServer(name, flags, place);
    EXPECT_TRUE(server.ok()) << server.status();
    EXPECT_TRUE(WaitUntilServing(server->grpc).ok());
    return *std::move(server);
  }

  // Sends and reads to the end.
  Reply Send(const v1::GenerateRequest& request, const Behaviour& behaviour) {
    grpc::ClientContext context;
    context.set_deadline(
        absl::ToChronoTime(absl::Now() + behaviour.deadline.value_or(absl::Minutes(2))));
    Stop sent;
    std::thread canceller;
    if (behaviour.cancel_after) {
      canceller = std::thread([&] {
        sent.Wait(*behaviour.cancel_after);
        context.TryCancel();
      });
    }
    Reply reply;
    auto reader = stub_->Generate(&context, request);
    v1::GenerateResponse message;
    while (reader->Read(&message)) {
      reply.accepted += message.has_accepted() ? 1 : 0;
      reply.finished += message.has_finished() ? 1 : 0;
      reply.tokens.insert(reply.tokens.end(), message.chunk().token_ids().begin(),
                          message.chunk().token_ids().end());
      if (behaviour.pause_between_messages > absl::ZeroDuration()) {
        stop_->Wait(behaviour.pause_between_messages);
      }
    }
    reply.status = reader->Finish();
    reply.origin = context.debug_error_string();
    sent.Now();
    if (canceller.joinable()) canceller.join();
    return reply;
  }

  // Whatever happened, a request ends once, in a way that its client can have expected, and what it
  // was sent is what it gets alone.
  void Check(size_t index, const Behaviour& behaviour, const Reply& reply) {
    const grpc::StatusCode code = reply.status.error_code();
    std::set<grpc::StatusCode> allowed = {grpc::StatusCode::RESOURCE_EXHAUSTED};
    if (behaviour.cancel_after) allowed.insert(grpc::StatusCode::CANCELLED);
    if (behaviour.deadline) allowed.insert(grpc::StatusCode::DEADLINE_EXCEEDED);
    if (servers_restart_) allowed.insert(grpc::StatusCode::UNAVAILABLE);
    // gRPC's own answer to a call that reaches a router in the moment of its shutdown.
    if (servers_restart_ && reply.accepted == 0 && reply.status.error_message() == "CANCELLED") {
      allowed.insert(grpc::StatusCode::CANCELLED);
    }
    allowed.insert(behaviour.malformed ? grpc::StatusCode::INVALID_ARGUMENT : grpc::StatusCode::OK);
    EXPECT_TRUE(allowed.contains(code)) << "request " << index << " ended with " << code << ": "
                                        << reply.status.error_message() << "\n"
                                        << reply.origin;
    EXPECT_LE(reply.accepted, 1);
    // A call can be cut between its last message and its status: by its client, by its deadline, by
    // a process that dies.
    static constexpr grpc::StatusCode kCut[] = {grpc::StatusCode::CANCELLED,
                                                grpc::StatusCode::DEADLINE_EXCEEDED,
                                                grpc::StatusCode::UNAVAILABLE};
    if (code == grpc::StatusCode::OK) {
      EXPECT_EQ(reply.finished, 1);
    } else {
      EXPECT_LE(reply.finished, std::ranges::count(kCut, code))
          << "request " << index << " " << code;
    }
    std::vector<int32_t> expected = expected_[index];
    if (code != grpc::StatusCode::OK) {
      expected.resize(std::min(expected.size(), reply.tokens.size()));
    }
    EXPECT_EQ(reply.tokens, behaviour.malformed ? std::vector<int32_t>() : expected)
        << "request " << index;
    std::lock_guard lock(mu_);
    ++endings_[code];
  }

  void RunClient(uint64_t seed) {
    std::mt19937_64 random(seed);
    while (!stop_->stopped()) {
      const size_t index = mix_.PickRequest(random);
      const Behaviour behaviour = RequestMix::PickBehaviour(random);
      v1::GenerateRequest request = mix_.requests()[index];
      if (behaviour.malformed) RequestMix::Spoil(random, &request);
      Check(index, behaviour, Send(request, behaviour));
      // A client that meets a server on its way down does not spin.
      if (servers_restart_) stop_->Wait(absl::Milliseconds(20));
    }
  }

  // The crowd at work while `meanwhile` runs on this thread.
  void WithClients(const std::function<void()>& meanwhile) {
    stop_ = std::make_unique<Stop>();
    std::vector<std::thread> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back([this, seed = next_seed_++] { RunClient(seed); });
    }
    meanwhile();
    stop_->Now();
    for (std::thread& client : clients) client.join();
    for (const RunningServer& backend : backends_) {
      EXPECT_EQ(WaitUntilIdle(backend.grpc), absl::OkStatus());
    }
  }

  std::map<std::string, pid_t> Processes() const {
    return {{"router", router_.process->pid()},
            {"classifier", classifier_.process->pid()},
            {"generation 1", backends_[0].process->pid()},
            {"generation 2", backends_[1].process->pid()}};
  }

  std::string Endings() {
    std::lock_guard lock(mu_);
    std::string text;
    for (const auto& [code, count] : endings_) absl::StrAppend(&text, " ", code, ":", count);
    return text;
  }

  const RequestMix mix_{1};
  std::vector<std::vector<int32_t>> expected_;  // tokens of each request alone
  RunningServer backends_[2];
  RunningServer classifier_;
  RunningServer router_;
  std::unique_ptr<v1::GenerationService::Stub> stub_;
  std::unique_ptr<Stop> stop_ = std::make_unique<Stop>();
  uint64_t next_seed_ = 100;
  std::atomic<bool> servers_restart_{false};

  std::mutex mu_;
  std::map<grpc::StatusCode, int> endings_;
};

TEST_F(SoakTest, ACrowdOfClientsLeavesNothingBehind) {
  const absl::Duration phase = absl::Seconds(SoakSeconds() / 3);
  WithClients([&] { stop_->Wait(phase); });  // caches, pools and buffers grow to their size
  std::map<std::string, std::vector<Usage>> usage;
  const absl::Time start = absl::Now();
  const auto sample = [&] {
    for (const auto& [name, pid] : Processes()) {
      usage[name].push_back({absl::ToDoubleSeconds(absl::Now() - start), ResidentBytes(pid),
                             Threads(pid), OpenFileDescriptors(pid)});
    }
    for (const int i : {0, 1}) {
      usage[absl::StrCat("generation ", i + 1)].back().device_bytes = DeviceBytes(backends_[i]);
    }
  };
  sample();
  for (int part = 0; part < 4; ++part) {
    WithClients([&] { stop_->Wait(phase / 4); });
    sample();
  }
  for (const auto& [name, samples] : usage) {
    const Usage& before = samples.front();
    const Usage& after = samples.back();
    std::cout << name << ": resident " << after.resident_bytes / 1e6 << " MB, "
              << ResidentSlope(samples) * 60 / 1e6 << " MB a minute; " << after.threads
              << " threads, " << after.file_descriptors << " file descriptors\n";
    const bool on_device = name.starts_with("generation") && OnCuda();
    if (on_device) {
      std::cout << name << ": of the device";
      for (const Usage& sample : samples) std::cout << " " << sample.device_bytes / 1e6;
      std::cout << " MB\n";
    }
    EXPECT_EQ(after.device_bytes > 0, on_device) << name;
    EXPECT_LE(after.device_bytes - before.device_bytes, kDeviceGrowth) << name;
    // gRPC's threads, as many as there are processors or more, and idle connections come and go;
    // what grows passes this before long.
    EXPECT_LE(after.threads,
              before.threads + 4 * static_cast<int>(std::thread::hardware_concurrency()))
        << name;
    EXPECT_LE(after.file_descriptors, before.file_descriptors + 8) << name;
    EXPECT_LE(static_cast<double>(after.resident_bytes - before.resident_bytes),
              4e6 + 0.05 * static_cast<double>(before.resident_bytes))
        << name;
  }
  std::cout << "endings by code:" << Endings() << "\n";
}

TEST_F(SoakTest, ProcessesThatDieAndComeBackLoseNobodysAnswerSilently) {
  servers_restart_ = true;
  const absl::Duration phase = absl::Seconds(SoakSeconds() / 12);
  WithClients([&] {
    const auto replace = [&](RunningServer& server, int signal,
                             const std::function<RunningServer(const std::string&)>& start) {
      stop_->Wait(phase);
      const std::string address = server.grpc;
      server.process->Signal(signal);
      ASSERT_TRUE(server.process->Wait(kPatience).ok());
      server = start(address);
    };
    replace(backends_[0], SIGKILL, StartBackend);
    replace(router_, SIGTERM, [this](const std::string& at) { return StartRouter(at); });
    replace(backends_[1], SIGTERM, StartBackend);
    replace(router_, SIGKILL, [this](const std::string& at) { return StartRouter(at); });
    stop_->Wait(phase);
  });
  servers_restart_ = false;
  // All is as before, and nobody else is there.
  for (size_t i = 0; i < mix_.requests().size(); ++i) {
    const Reply reply = Send(mix_.requests()[i], {});
    EXPECT_TRUE(reply.status.ok()) << reply.status.error_message();
    Check(i, {}, reply);
  }
  std::cout << "endings by code:" << Endings() << "\n";
}

}  // namespace
}  // namespace windowkv::testing
