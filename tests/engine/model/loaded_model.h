#ifndef WINDOWKV_TESTS_ENGINE_MODEL_LOADED_MODEL_H_
#define WINDOWKV_TESTS_ENGINE_MODEL_LOADED_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/kv_cache/kv_cache_manager.h"
#include "engine/kv_cache/kv_cache_store.h"
#include "engine/model/llama_model.h"
#include "tests/engine/model/test_device.h"
#include "tests/testing/golden_file.h"

namespace windowkv::testing {

// A loaded checkpoint in float32 with a pool of its own, which reads one prompt at a time.
class LoadedModel {
 public:
  explicit LoadedModel(const std::string& dir, int32_t chunk_rows = 64,
                       at::ScalarType dtype = at::kFloat)
      : model_(*LlamaModel::Load(dir, *LoadLlamaConfig(dir),
                                 at::TensorOptions(TestDevice()).dtype(dtype))),
        store_(*KvCacheStore::Create({model_.config().num_layers, model_.config().num_kv_heads,
                                      model_.config().head_dim, /*block_size=*/16,
                                      /*pool_bytes=*/int64_t{256} << 20, dtype, TestDevice()})),
        manager_(store_.geometry()),
        chunk_rows_(chunk_rows) {}

  // Reads a prompt; its logits for the next token.
  std::vector<float> Prefill(const std::vector<int32_t>& prompt, const CacheConfig& config) {
    const int32_t tokens = static_cast<int32_t>(prompt.size());
    next_position_ = tokens;
    const CachePlan plan = *manager_.Plan(config, tokens, /*max_tokens=*/64);
    cache_ = std::make_unique<SequenceKvCache>(*manager_.Admit(plan));
    PrefillState state = model_.StartPrefill(prompt, plan);
    for (const PrefillSlice& slice :
         PlanPrefill(model_.config(), tokens, plan.observed, chunk_rows_)) {
      model_.RunPrefillSlice(slice, state, store_, *cache_);
    }
    return ToVector(model_.PrefillLogits(state));
  }

  std::vector<float> Decode(int32_t token) {
    return ToVector(model_.Decode({{token, next_position_++, cache_.get()}}, store_));
  }

  std::vector<int32_t> Greedy(std::vector<float> logits, size_t count) {
    std::vector<int32_t> tokens;
    while (true) {
      const auto best = std::max_element(logits.begin(), logits.end());
      tokens.push_back(static_cast<int32_t>(best - logits.begin()));
      if (tokens.size() == count) return tokens;
      logits = Decode(tokens.back());
    }
  }

  const LlamaConfig& config() const { return model_.config(); }
  const SequenceKvCache& cache() const { return *cache_; }

 private:
  static std::vector<float> ToVector(const at::Tensor& device_logits) {
    const at::Tensor logits = device_logits.to(at::kCPU);
    const float* data = logits.const_data_ptr<float>();
    return std::vector<float>(data, data + logits.numel());
  }

  LlamaModel model_;
  KvCacheStore store_;
  KvCacheManager manager_;
  int32_t chunk_rows_;
  std::unique_ptr<SequenceKvCache> cache_;
  int32_t next_position_ = 0;
};

// The model that a case of windowkv_decode.json or policy_decode.json names.
inline LoadedModel LoadModelOf(const nlohmann::json& test) {
  const std::string name = test["checkpoint"];
  if (name == "demo_llama") {
    return LoadedModel(SourceDir() + "/deploy/models/demo_llama", /*chunk_rows=*/512);
  }
  return LoadedModel(GoldenPath("llama/" + name));
}

// The tokens of such a case: its own, or those of the prompt it names in demo_llama.json.
inline std::vector<int32_t> PromptOf(const nlohmann::json& test) {
  if (test.contains("input_ids")) return test["input_ids"].get<std::vector<int32_t>>();
  const nlohmann::json demo = ReadJson(GoldenPath("demo_llama.json"));
  for (const nlohmann::json& prompt : demo["cases"]) {
    if (prompt["name"] == test["prompt"]) return prompt["input_ids"].get<std::vector<int32_t>>();
  }
  return {};
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_ENGINE_MODEL_LOADED_MODEL_H_
