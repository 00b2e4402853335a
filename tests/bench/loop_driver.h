#ifndef WINDOWKV_TESTS_BENCH_LOOP_DRIVER_H_
#define WINDOWKV_TESTS_BENCH_LOOP_DRIVER_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/runtime/engine_loop.h"
#include "tests/bench/bench_model.h"
#include "tests/bench/timed_runner.h"
#include "tests/testing/loop_sequence.h"

namespace windowkv::bench {

// What a benchmark asks of the engine thread.
struct LoopRequest {
  int32_t prompt_tokens = 1;
  int32_t output_tokens = 1;
  CachePolicy policy = CachePolicy::kFull;
  int32_t budget = 0;
};

// The engine thread with a timed runner, driven without tokenising: sequences are made here.
class LoopDriver {
 public:
  LoopDriver(const EngineLoop::Config& config, std::unique_ptr<BatchRunner> runner,
             const std::string& model_dir, EngineMetrics* metrics)
      : num_layers_(config.num_layers),
        tokenizer_(OrDie(RequestTokenizer::Create(model_dir, 1 << 20))) {
    auto timed = std::make_unique<TimedRunner>(std::move(runner));
    runner_ = timed.get();
    loop_ = std::make_unique<EngineLoop>(config, std::move(timed), &tokenizer_, &queue_, metrics);
  }

  std::shared_ptr<TokenStream> Add(const LoopRequest& request) {
    std::vector<int32_t> prompt(static_cast<size_t>(request.prompt_tokens));
    for (int32_t i = 0; i < request.prompt_tokens; ++i) prompt[i] = 100 + i * 7 % 3000;
    CacheOptions options;
    options.policy = request.policy;
    if (request.budget > 0) options.budget = BudgetTokens{request.budget};
    const CacheShape shape{num_layers_, 1 << 20, 1, runner_->cache_geometry().block_size};
    const CacheConfig cache = OrDie(ResolveCacheOptions(
        options, {{}, {}, shape}, Task::kLocalization, request.prompt_tokens, {}));
    std::unique_ptr<Sequence> sequence =
        testing::MakeLoopSequence(*loop_, absl::StrCat("bench-", next_id_++), std::move(prompt),
                                  request.output_tokens, cache);
    if (absl::Status status = queue_.Enter(0); !status.ok()) OrDie<int>(status);
    std::shared_ptr<TokenStream> stream = sequence->stream;
    loop_->Add(std::move(sequence));
    return stream;
  }

  // Reads to the end; the times of the tokens that came one by one.
  static std::vector<absl::Duration> ReadAll(TokenStream& stream) {
    std::vector<absl::Duration> times;
    while (true) {
      const StreamEvent event = *stream.Next();
      if (std::holds_alternative<ChunkEvent>(event)) times.push_back(MonotonicNow());
      if (const auto* status = std::get_if<absl::Status>(&event)) OrDie<int>(*status);
      if (IsLast(event)) return times;
    }
  }

  // `clients` threads, each with one request at a time, `each` in turn. Seconds that it took.
  double ClosedLoop(int clients, int each, const LoopRequest& request) {
    const absl::Duration start = MonotonicNow();
    std::vector<std::thread> threads;
    for (int client = 0; client < clients; ++client) {
      threads.emplace_back([&] {
        for (int i = 0; i < each; ++i) ReadAll(*Add(request));
      });
    }
    for (std::thread& thread : threads) thread.join();
    return absl::ToDoubleSeconds(MonotonicNow() - start);
  }

  // Until every request has ended.
  void WaitUntilIdle() { queue_.WaitUntilIdle(absl::Hours(1)); }

  TimedRunner& runner() { return *runner_; }
  EngineLoop& loop() { return *loop_; }

 private:
  const int32_t num_layers_;
  const RequestTokenizer tokenizer_;
  RequestQueue queue_{{.requests = 1 << 20}};
  std::atomic<int> next_id_{0};
  TimedRunner* runner_ = nullptr;
  std::unique_ptr<EngineLoop> loop_;
};

inline double Percentile99(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(0.99 * static_cast<double>(values.size() - 1))];
}

// The seconds between tokens of `count` streams, alone or while other prompts keep coming, one at a
// time.
inline std::vector<double> GapsOfStreams(LoopDriver& driver, int count, const LoopRequest& stream,
                                         const std::optional<LoopRequest>& arriving) {
  std::atomic<bool> stop{false};
  std::vector<std::vector<absl::Duration>> times(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  for (auto& own : times) {
    threads.emplace_back([&] { own = LoopDriver::ReadAll(*driver.Add(stream)); });
  }
  std::thread arrivals([&] {
    while (arriving && !stop) LoopDriver::ReadAll(*driver.Add(*arriving));
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  arrivals.join();
  std::vector<double> gaps;
  for (const auto& own : times) {
    // The streams' own prompts are read one after the other at the start.
    for (size_t i = 51; i < own.size(); ++i) {
      gaps.push_back(absl::ToDoubleSeconds(own[i] - own[i - 1]));
    }
  }
  return gaps;
}

}  // namespace windowkv::bench

#endif  // WINDOWKV_TESTS_BENCH_LOOP_DRIVER_H_
