#ifndef WINDOWKV_ENGINE_CACHE_POLICY_CACHE_CONFIG_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_CACHE_CONFIG_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/base/task.h"
#include "engine/cache_policy/token_ranges.h"

namespace windowkv {

// Which part of a prompt's KV cache is kept; see docs/cache_policies.md.
enum class CachePolicy { kFull, kWindowKv, kStreamingLlm, kSnapKv, kPyramidKv, kH2o };

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

// Options that only some policies know.
enum class CacheOption {
  kBudget,
  kSinkTokens,
  kPinned,
  kWindowSize,
  kSharedLayers,
  kObservationTokens,
  kBeta,
  kStrategy,
  kTaskMapping,
  kAccounting,
};

class CacheOptionSet {
 public:
  constexpr CacheOptionSet() = default;
  constexpr CacheOptionSet(std::initializer_list<CacheOption> options) {
    for (const CacheOption option : options) bits_ |= Bit(option);
  }
  constexpr bool contains(CacheOption option) const { return (bits_ & Bit(option)) != 0; }
  friend constexpr CacheOptionSet operator|(CacheOptionSet a, CacheOptionSet b) {
    a.bits_ |= b.bits_;
    return a;
  }

 private:
  static constexpr uint32_t Bit(CacheOption option) { return 1U << static_cast<uint32_t>(option); }
  uint32_t bits_ = 0;
};

// What every policy that drops tokens knows.
inline constexpr CacheOptionSet kBudgetOptions = {CacheOption::kBudget, CacheOption::kSinkTokens,
                                                  CacheOption::kPinned};

struct BudgetTokens {
  int32_t tokens = 0;
};  // per layer, mean over layers
struct BudgetBytes {
  int64_t bytes = 0;
};  // whole prompt, all layers
struct BudgetFraction {
  float fraction = 0;
};  // of the prompt's tokens

// Characters of a text prompt, in Unicode code points, half-open.
struct PinnedCharacters {
  int32_t begin = 0;
  int32_t end = 0;
};
// A chat prompt's message with its header, by index.
struct PinnedMessage {
  int32_t index = 0;
};
// A part of the prompt that is kept whatever its score.
using PinnedSpan = std::variant<TokenRange, PinnedCharacters, PinnedMessage>;

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
  std::vector<PinnedSpan> pinned;
  bool pin_system_prompt = false;
};

// What CacheOptions came to for one prompt. A value; constant after it is made. Members that do not
// apply to the policy are 0 or unset.
struct CacheConfig {
  CachePolicy policy = CachePolicy::kFull;
  int32_t budget_tokens = 0;  // per layer, mean over layers
  int32_t window_size = 0;
  int32_t shared_layers = 0;
  int32_t observation_tokens = 0;
  int32_t beta = 0;
  std::optional<Strategy> strategy;
  BudgetAccounting accounting = BudgetAccounting::kTotal;
  int32_t sink_tokens = 0;
  std::vector<TokenRange> pinned;  // sorted, not touching
};

// The server's defaults for unset options.
struct CacheDefaults {
  CachePolicy policy = CachePolicy::kFull;
  int32_t budget_tokens = 1024;
  int32_t window_size = 8;
  int32_t shared_layers = 0;  // 0: a quarter of the layers, at least 1
  int32_t beta = 0;           // of WINDOWKV; 0: the paper's slope for the layers that share
  int32_t sink_tokens = 4;
  TaskMapping task_mapping = TaskMapping::kPaper;
  Task task = Task::kLocalization;
};

// The most that a request may ask for. A server may lower them.
struct CacheLimits {
  int32_t budget_tokens = 0;  // per layer, mean over layers; 0: the context length
  int32_t window_size = 1024;
  int32_t observation_tokens = 512;
  int32_t beta = 1024;
  int32_t sink_tokens = 1024;
  int32_t pinned_spans = 64;
};

// What resolving needs to know of the model and its cache.
struct CacheShape {
  int32_t num_layers = 0;
  int32_t context_length = 0;
  int64_t bytes_per_token = 0;  // one layer's K and V of one token
  int32_t block_size = 1;       // tokens per block; bytes are held in whole blocks
};

// The model's and the server's part in resolving a request's options. A value.
struct CacheRules {
  CacheDefaults defaults;
  CacheLimits limits;
  CacheShape shape;

  int32_t max_budget_tokens() const {
    return limits.budget_tokens > 0 ? limits.budget_tokens : shape.context_length;
  }
};

// Fills in defaults and turns the budget into tokens per layer. `pinned` is what options.pinned and
// pin_system_prompt came to for this prompt. INVALID_ARGUMENT as ValidateCacheOptions, and when the
// budget is smaller than what must be kept (sink, pinned and observation tokens) or one window.
absl::StatusOr<CacheConfig> ResolveCacheOptions(const CacheOptions& options,
                                                const CacheRules& rules, Task task,
                                                int32_t prompt_tokens,
                                                std::vector<TokenRange> pinned);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_CACHE_CONFIG_H_
