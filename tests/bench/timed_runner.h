#ifndef WINDOWKV_TESTS_BENCH_TIMED_RUNNER_H_
#define WINDOWKV_TESTS_BENCH_TIMED_RUNNER_H_

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/base/monotonic_clock.h"
#include "engine/runtime/batch_runner.h"

namespace windowkv::bench {

// What a runner's own work took; of a decode step that is computed ahead, only starting it.
struct RunnerTimes {
  absl::Duration total;
  absl::Duration longest_slice;  // mean of the slices read together
  int64_t decode_steps = 0;
  int64_t decoded = 0;  // tokens
};

// Another runner, with a stop watch. The engine thread's, but for times().
class TimedRunner final : public BatchRunner {
 public:
  explicit TimedRunner(std::unique_ptr<BatchRunner> runner) : runner_(std::move(runner)) {}

  RunnerTimes times() const {
    std::lock_guard<std::mutex> lock(mu_);
    return times_;
  }
  void Reset() {
    std::lock_guard<std::mutex> lock(mu_);
    times_ = {};
  }

  void PrepareThread() override { runner_->PrepareThread(); }
  std::vector<int64_t> SliceCosts(const CachePlan& plan) const override {
    return runner_->SliceCosts(plan);
  }
  const KvCacheManager::Geometry& cache_geometry() const override {
    return runner_->cache_geometry();
  }
  absl::StatusOr<std::optional<at::Tensor>> Prefill(const PrefillWork& work) override {
    const absl::Duration start = MonotonicNow();
    auto result = runner_->Prefill(work);
    const absl::Duration took = MonotonicNow() - start;
    std::lock_guard<std::mutex> lock(mu_);
    times_.total += took;
    times_.longest_slice =
        std::max(times_.longest_slice, took / static_cast<double>(work.num_slices));
    return result;
  }
  absl::StatusOr<at::Tensor> Decode(const std::vector<Sequence*>& batch,
                                    const UnreadTokens& unread) override {
    const absl::Duration start = MonotonicNow();
    auto result = runner_->Decode(batch, unread);
    const absl::Duration took = MonotonicNow() - start;
    std::lock_guard<std::mutex> lock(mu_);
    times_.total += took;
    ++times_.decode_steps;
    times_.decoded += static_cast<int64_t>(batch.size());
    return result;
  }
  bool computes_ahead() const override { return runner_->computes_ahead(); }
  int64_t device_memory_bytes() const override { return runner_->device_memory_bytes(); }
  bool HasFailed() override { return runner_->HasFailed(); }
  void Forget(const Sequence* sequence) override { runner_->Forget(sequence); }

 private:
  const std::unique_ptr<BatchRunner> runner_;
  mutable std::mutex mu_;
  RunnerTimes times_;
};

}  // namespace windowkv::bench

#endif  // WINDOWKV_TESTS_BENCH_TIMED_RUNNER_H_
