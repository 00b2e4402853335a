#ifndef WINDOWKV_ENGINE_KV_CACHE_CACHE_CONFIG_H_
#define WINDOWKV_ENGINE_KV_CACHE_CACHE_CONFIG_H_

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/base/task.h"

namespace windowkv {

// Which part of a prompt's KV cache is kept.
enum class CachePolicy {
  kFull,      // every token
  kWindowKv,  // windows by attention score (arXiv 2503.17922)
};

// How the token scores of a window become one score (WindowKV, equation 4).
enum class Strategy { kMean, kTopHalfMean };

// Which strategy a task gets when the request leaves it open.
enum class TaskMapping {
  kPaper,      // localization: mean; aggregation: mean of the top half
  kReference,  // the inverse, as in the authors' code
};

enum class BudgetAccounting {
  kTotal,       // every kept prompt token counts; never exceeded
  kReviewOnly,  // observation tokens come on top, as in the authors' code
};

// Half-open range of prompt token indices.
struct TokenRange {
  int32_t begin = 0;
  int32_t end = 0;
  friend bool operator==(const TokenRange&, const TokenRange&) = default;
};

struct BudgetTokens {
  int32_t tokens = 0;
};  // per layer, mean over layers
struct BudgetBytes {
  int64_t bytes = 0;
};  // whole prompt, all layers
struct BudgetFraction {
  float fraction = 0;
};  // of the prompt's tokens

// A request's cache options as asked for; unset members take the server's defaults.
struct CacheOptions {
  std::optional<CachePolicy> policy;
  std::variant<std::monostate, BudgetTokens, BudgetBytes, BudgetFraction> budget;
  std::optional<int32_t> window_size;
  std::optional<int32_t> shared_layers;
  std::optional<int32_t> observation_tokens;
  std::optional<int32_t> beta;
  std::optional<Strategy> strategy;  // unset: from the task
  std::optional<TaskMapping> task_mapping;
  std::optional<BudgetAccounting> accounting;
  std::optional<int32_t> sink_tokens;
  std::vector<TokenRange> pinned;
};

// What CacheOptions came to for one prompt. A value; constant after it is made.
struct CacheConfig {
  CachePolicy policy = CachePolicy::kFull;
  int32_t budget_tokens = 0;  // per layer, mean over layers; 0 under kFull
  int32_t window_size = 8;
  int32_t shared_layers = 1;
  int32_t observation_tokens = 16;
  int32_t beta = 14;
  Strategy strategy = Strategy::kMean;
  BudgetAccounting accounting = BudgetAccounting::kTotal;
  int32_t sink_tokens = 4;
  std::vector<TokenRange> pinned;
};

// The server's defaults for unset options.
struct CacheDefaults {
  CachePolicy policy = CachePolicy::kFull;
  int32_t budget_tokens = 1024;
  int32_t window_size = 8;
  int32_t shared_layers = 0;  // 0: a quarter of the layers, at least 1
  int32_t beta = 14;
  int32_t sink_tokens = 4;
  TaskMapping task_mapping = TaskMapping::kPaper;
  Task task = Task::kLocalization;
};

// What resolving needs to know of the model and its cache.
struct CacheShape {
  int32_t num_layers = 0;
  int32_t context_length = 0;
  int64_t bytes_per_token = 0;  // one layer's K and V of one token
  int32_t block_size = 1;       // tokens per block; bytes are held in whole blocks
};

// Checks what can be checked before the prompt's length is known: ranges, and that every option set
// applies to the policy. INVALID_ARGUMENT naming the protobuf field ("cache.window_size").
absl::Status ValidateCacheOptions(const CacheOptions& options, const CacheDefaults& defaults,
                                  const CacheShape& shape);

// Fills in defaults and turns the budget into tokens per layer. INVALID_ARGUMENT as above, and when
// the budget is smaller than what must be kept (sink, pinned and observation tokens).
absl::StatusOr<CacheConfig> ResolveCacheOptions(const CacheOptions& options,
                                                const CacheDefaults& defaults,
                                                const CacheShape& shape, Task task,
                                                int32_t prompt_tokens);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KV_CACHE_CACHE_CONFIG_H_
