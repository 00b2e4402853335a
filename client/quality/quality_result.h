#ifndef WINDOWKV_CLIENT_QUALITY_QUALITY_RESULT_H_
#define WINDOWKV_CLIENT_QUALITY_QUALITY_RESULT_H_

#include <windowkv/v1/generation.pb.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/quality/family.h"

namespace windowkv::client {

// One row of the measurement. FULL has no budget: 0. A task is only WINDOWKV's, where the plan
// compares tasks.
struct CacheSetting {
  v1::CachePolicy policy = v1::CACHE_POLICY_FULL;
  v1::Task task = v1::TASK_UNSPECIFIED;
  int32_t budget_tokens = 0;

  bool operator==(const CacheSetting&) const = default;
  // By policy, task and budget.
  bool operator<(const CacheSetting& other) const {
    return std::tie(policy, task, budget_tokens) <
           std::tie(other.policy, other.task, other.budget_tokens);
  }
};

// Sums over answered requests, and what failed. Times and bytes are the server's own.
class QualityTally {
 public:
  void AddAnswer(bool exact, const v1::Finished& finished);
  void AddError(const absl::Status& status);
  void Add(const QualityTally& other);

  int answered() const { return answered_; }
  int exact() const { return exact_; }
  // Failed requests by status code name.
  const std::map<std::string, int>& errors() const { return errors_; }
  int failed() const;

  // Share of answers that are exactly right, and its standard error; 0 without answers, as all
  // means below.
  double ExactMatch() const;
  double StandardError() const;
  double MeanPromptTokens() const { return Mean(static_cast<double>(prompt_tokens_)); }
  double MeanBytesKept() const { return Mean(static_cast<double>(bytes_kept_)); }
  double MeanBytesFull() const { return Mean(static_cast<double>(bytes_full_)); }
  // Of the bytes that full caches would have taken.
  double KeptShare() const;
  absl::Duration MeanTimeToFirstToken() const;
  absl::Duration MeanPrefill() const;
  // Per token after the first.
  absl::Duration MeanDecodeStep() const;

 private:
  double Mean(double sum) const { return answered_ > 0 ? sum / answered_ : 0; }

  int answered_ = 0;
  int exact_ = 0;
  std::map<std::string, int> errors_;
  int64_t prompt_tokens_ = 0;
  int64_t bytes_kept_ = 0;
  int64_t bytes_full_ = 0;
  int64_t decode_steps_ = 0;
  absl::Duration time_to_first_token_;
  absl::Duration prefill_;
  absl::Duration decode_;
};

// What the measurement came to, as far as it got.
struct QualityResult {
  std::map<std::pair<CacheSetting, Family>, QualityTally> tallies;
  // Requests that reached no server, and the first error of all.
  int unreachable = 0;
  std::optional<absl::Status> first_error;
  bool interrupted = false;
  absl::Duration wall;

  // Sorted by policy, task and budget, FULL first.
  std::vector<CacheSetting> Settings() const;
  // Over all families.
  QualityTally Over(const CacheSetting& setting) const;
  // Over everything.
  QualityTally Total() const;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_QUALITY_QUALITY_RESULT_H_
