#ifndef WINDOWKV_TESTS_BENCH_BENCH_MODEL_H_
#define WINDOWKV_TESTS_BENCH_BENCH_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/monotonic_clock.h"
#include "engine/model/llama_config.h"
#include "engine/runtime/model_runner.h"
#include "engine/sampling/sample_tokens.h"

// The model without an engine thread, for measurements of single steps.

namespace windowkv::bench {

// Ends the program: a benchmark without a result is not one.
template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::cerr << value.status() << "\n";
  std::exit(1);
}

inline double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Median seconds of `runs` calls.
template <typename Call>
double MedianSeconds(int runs, const Call& call) {
  std::vector<double> seconds;
  for (int i = 0; i < runs; ++i) {
    const absl::Duration start = MonotonicNow();
    call();
    seconds.push_back(absl::ToDoubleSeconds(MonotonicNow() - start));
  }
  return Median(std::move(seconds));
}

class BenchModel {
 public:
  // Runs on the calling thread, with `threads` threads.
  BenchModel(const std::string& dir, at::ScalarType dtype, int threads, int32_t block_size = 16,
             int32_t prefill_chunk = 512)
      : BenchModel(ModelRunner::Config{.model_dir = dir,
                                       .model = OrDie(LoadLlamaConfig(dir)),
                                       .dtype = dtype,
                                       .kv_pool_bytes = int64_t{1} << 30,
                                       .block_size = block_size,
                                       .prefill_chunk = prefill_chunk,
                                       .num_threads = threads}) {}

  explicit BenchModel(const ModelRunner::Config& config) : config_(config.model) {
    runner_ = OrDie(ModelRunner::Create(config));
    runner_->PrepareThread();
    manager_ = std::make_unique<KvCacheManager>(runner_->cache_geometry());
  }

  // A prompt of `tokens` of `ids`, not read yet, with room for `max_tokens` more. The server's
  // defaults but for policy and budget, which FULL has none of.
  std::unique_ptr<Sequence> Admit(const std::vector<int32_t>& ids, int tokens, CachePolicy policy,
                                  int budget, int max_tokens) {
    auto sequence = std::make_unique<Sequence>();
    sequence->prompt.assign(ids.begin(), ids.begin() + tokens);
    CacheOptions options;
    options.policy = policy;
    if (policy != CachePolicy::kFull) options.budget = BudgetTokens{budget};
    const CacheShape shape{config_.num_layers, 1 << 20, 1, manager_->geometry().block_size};
    const CacheConfig config =
        OrDie(ResolveCacheOptions(options, {{}, {}, shape}, Task::kLocalization, tokens, {}));
    sequence->plan = OrDie(manager_->Plan(config, tokens, max_tokens));
    sequence->cache = manager_->Admit(sequence->plan);
    sequence->slice_costs = runner_->SliceCosts(sequence->plan);
    return sequence;
  }

  // Reads the whole prompt, so that it is ready to decode.
  void Read(Sequence& sequence) {
    const size_t slices = sequence.slice_costs.size();
    OrDie(runner_->Prefill({&sequence, slices}));
    sequence.slices_done = slices;
    sequence.output.push_back(100);
  }

  // Median seconds of a decode step of all `sequences` together, up to their tokens, which are read
  // when the next step has been started, as the engine reads them on a device that computes ahead.
  double DecodeSeconds(std::vector<std::unique_ptr<Sequence>>& sequences, int steps) {
    std::vector<Sequence*> batch;
    for (const auto& sequence : sequences) batch.push_back(sequence.get());
    Sampler greedy({}, {}, {});
    std::vector<SampledRow> rows;
    for (size_t i = 0; i < batch.size(); ++i) rows.push_back({static_cast<int32_t>(i), &greedy});
    std::optional<StartedTokens> before;
    UnreadTokens unread;
    const double seconds = MedianSeconds(steps, [&] {
      at::Tensor logits = OrDie(runner_->Decode(batch, unread));
      StartedTokens tokens = StartTokens(rows, logits);
      if (before) before->Wait();
      before.emplace(std::move(tokens));
      unread.ids = before->ids();
      unread.rows.clear();
      for (Sequence* sequence : batch) {
        unread.rows.push_back(static_cast<int32_t>(unread.rows.size()));
        ++sequence->decoded;
        sequence->output.push_back(100);  // for the next call; this one's steps take their own
      }
    });
    before->Wait();
    return seconds;
  }

  const LlamaConfig& config() const { return config_; }
  KvCacheManager& manager() { return *manager_; }

 private:
  LlamaConfig config_;
  std::unique_ptr<ModelRunner> runner_;
  std::unique_ptr<KvCacheManager> manager_;
};

}  // namespace windowkv::bench

#endif  // WINDOWKV_TESTS_BENCH_BENCH_MODEL_H_
