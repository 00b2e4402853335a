#ifndef WINDOWKV_ENGINE_RUNTIME_MODEL_RUNNER_H_
#define WINDOWKV_ENGINE_RUNTIME_MODEL_RUNNER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/kv_cache/kv_cache_manager.h"
#include "engine/kv_cache/kv_cache_store.h"
#include "engine/model/llama_model.h"
#include "engine/request/sequence.h"
#include "engine/scheduler/scheduler.h"

namespace windowkv {

// The model and the blocks' memory: runs a scheduler's batch. What LibTorch throws ends here as a
// Status. Created anywhere, then engine thread only.
class ModelRunner {
 public:
  struct Config {
    std::string model_dir;
    LlamaConfig model;
    at::ScalarType dtype = at::kFloat;
    int64_t kv_pool_bytes = 0;
    int32_t block_size = 16;
    int32_t prefill_chunk = 512;
  };
  static absl::StatusOr<std::unique_ptr<ModelRunner>> Create(const Config& config);

  // Sets up the calling thread: thread count of its parallel regions, no gradients.
  static void PrepareThread(int32_t num_threads);

  // Costs of a prompt's slices, for Sequence::slice_costs. Thread-safe.
  std::vector<int64_t> SliceCosts(const CachePlan& plan) const;

  const KvCacheManager::Geometry& cache_geometry() const { return store_.geometry(); }

  // Runs the batch's prefill slices. After the last one: the logits of the prompt's last token,
  // [1, vocab_size] float32.
  absl::StatusOr<std::optional<at::Tensor>> Prefill(const Batch& batch);

  // One token for each decoding sequence: logits [batch.decode.size(), vocab_size] float32.
  absl::StatusOr<at::Tensor> Decode(const Batch& batch);

  // The sequence ended while its prompt was read: its activations go.
  void Forget(const Sequence* sequence);

 private:
  ModelRunner(const Config& config, LlamaModel model, KvCacheStore store)
      : config_(config), model_(std::move(model)), store_(std::move(store)) {}
  std::vector<PrefillSlice> PlanSlices(const CachePlan& plan) const;

  Config config_;
  LlamaModel model_;
  KvCacheStore store_;
  // The one prompt being read.
  const Sequence* prefilling_ = nullptr;
  PrefillState prefill_;
  std::vector<PrefillSlice> slices_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_MODEL_RUNNER_H_
