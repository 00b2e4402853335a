#ifndef WINDOWKV_TESTS_TESTING_GOLDEN_FILE_H_
#define WINDOWKV_TESTS_TESTING_GOLDEN_FILE_H_

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/cache_policy/cache_config.h"

namespace windowkv::testing {

// The repository's root, from the environment that ctest sets.
inline std::string SourceDir() {
  const char* dir = std::getenv("WINDOWKV_SOURCE_DIR");
  return dir == nullptr ? "." : dir;
}

inline std::string GoldenPath(const std::string& name) {
  return SourceDir() + "/tests/golden/data/" + name;
}

// Others' public test data; absent on most machines.
inline std::string FixturePath(const std::string& name) {
  const char* dir = std::getenv("WINDOWKV_FIXTURES_DIR");
  return (dir == nullptr ? SourceDir() + "/../shared/fixtures" : std::string(dir)) + "/" + name;
}

inline nlohmann::json ReadJson(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
}

inline std::vector<TokenRange> ToRanges(const nlohmann::json& pairs) {
  std::vector<TokenRange> ranges;
  for (const auto& pair : pairs) {
    ranges.push_back({pair[0].get<int32_t>(), pair[1].get<int32_t>()});
  }
  return ranges;
}

// The `options` of the golden files (see tests/golden/README.md).
inline CacheConfig ToCacheConfig(const nlohmann::json& options) {
  CacheConfig config;
  config.policy = CachePolicy::kWindowKv;
  config.budget_tokens = options["budget_tokens"];
  config.window_size = options["window_size"];
  config.shared_layers = options["shared_layers"];
  config.beta = options["beta"];
  config.observation_tokens = options["observation_tokens"];
  config.strategy = options["strategy"] == "MEAN" ? Strategy::kMean : Strategy::kTopHalfMean;
  config.accounting =
      options["accounting"] == "TOTAL" ? BudgetAccounting::kTotal : BudgetAccounting::kReviewOnly;
  config.sink_tokens = options["sink_tokens"];
  config.pinned = ToRanges(options["pinned"]);
  return config;
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_TESTING_GOLDEN_FILE_H_
