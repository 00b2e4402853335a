#ifndef WINDOWKV_ENGINE_CACHE_POLICY_CACHE_OPTION_CHECKS_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_CACHE_OPTION_CHECKS_H_

#include "engine/cache_policy/cache_config.h"

namespace windowkv {

// The field that gave the budget: "cache.budget_bytes"; "cache.budget_tokens" when none did.
const char* BudgetField(const CacheOptions& options);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_CACHE_OPTION_CHECKS_H_
