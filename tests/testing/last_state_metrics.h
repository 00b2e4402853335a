#ifndef WINDOWKV_TESTS_TESTING_LAST_STATE_METRICS_H_
#define WINDOWKV_TESTS_TESTING_LAST_STATE_METRICS_H_

#include <algorithm>
#include <mutex>

#include "engine/base/engine_metrics.h"

namespace windowkv::testing {

// Keeps the newest state and counts ends; for tests and benchmarks.
class LastStateMetrics final : public EngineMetrics {
 public:
  void OnRequestFinished(const RequestEnd& end) override {
    std::lock_guard<std::mutex> lock(mu_);
    ++finished_;
  }
  void OnRequestFailed(absl::StatusCode code) override {
    std::lock_guard<std::mutex> lock(mu_);
    ++failed_;
  }
  void OnFirstToken(absl::Duration since_arrival) override {}
  void OnNextToken(absl::Duration since_previous) override {}
  void OnStep(int32_t decoded, int64_t prefill_token_layers, absl::Duration duration) override {
    std::lock_guard<std::mutex> lock(mu_);
    most_decoded_ = std::max(most_decoded_, decoded);
  }
  void OnState(const State& state) override {
    std::lock_guard<std::mutex> lock(mu_);
    state_ = state;
  }

  State state() const {
    std::lock_guard<std::mutex> lock(mu_);
    return state_;
  }
  int finished() const {
    std::lock_guard<std::mutex> lock(mu_);
    return finished_;
  }
  int failed() const {
    std::lock_guard<std::mutex> lock(mu_);
    return failed_;
  }
  // Most sequences that shared one decode step.
  int32_t most_decoded() const {
    std::lock_guard<std::mutex> lock(mu_);
    return most_decoded_;
  }

 private:
  mutable std::mutex mu_;
  State state_;
  int finished_ = 0;
  int failed_ = 0;
  int32_t most_decoded_ = 0;
};

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_TESTING_LAST_STATE_METRICS_H_
