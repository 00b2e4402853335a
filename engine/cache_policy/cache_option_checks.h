#ifndef WINDOWKV_ENGINE_CACHE_POLICY_CACHE_OPTION_CHECKS_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_CACHE_OPTION_CHECKS_H_

#include "engine/cache_policy/cache_config.h"

namespace windowkv {

// Checks what can be checked before the prompt's length is known: ranges, and that every option set
// applies to the policy. INVALID_ARGUMENT naming the protobuf field ("cache.window_size").
absl::Status ValidateCacheOptions(const CacheOptions& options, const CacheRules& rules);

// The field that gave the budget: "cache.budget_bytes"; "cache.budget_tokens" when none did.
const char* BudgetField(const CacheOptions& options);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_CACHE_OPTION_CHECKS_H_
