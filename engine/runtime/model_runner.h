#ifndef WINDOWKV_ENGINE_RUNTIME_MODEL_RUNNER_H_
#define WINDOWKV_ENGINE_RUNTIME_MODEL_RUNNER_H_

#include <c10/core/Event.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/kv_cache/kv_cache_store.h"
#include "engine/model/llama_model.h"
#include "engine/runtime/batch_runner.h"

namespace windowkv {

// The Llama model and the blocks' memory. What LibTorch throws ends here as a Status.
class ModelRunner final : public BatchRunner {
 public:
  struct Config {
    std::string model_dir;
    LlamaConfig model;
    at::ScalarType dtype = at::kFloat;
    at::Device device = at::kCPU;
    int64_t kv_pool_bytes = 0;  // 0: what a CUDA device has left beside weights and activations
    int32_t block_size = 16;
    int32_t prefill_chunk = 512;
    int64_t reading_tokens = 65536;  // of the prompts read at once, at most
    int64_t max_rows = 64;           // of a decode step
    int32_t num_threads = 1;         // of the thread that runs batches; 0: as they are
    bool capture_decode = true;      // decode steps as CUDA graphs
  };
  static absl::StatusOr<std::unique_ptr<ModelRunner>> Create(const Config& config);

  // What reading prompts of `tokens` together takes beside their caches: the residual streams, one
  // layer's keys and values of each, and the largest activations of a chunk.
  static int64_t PrefillBytes(const Config& config, int64_t tokens);

  void PrepareThread() override;
  std::vector<int64_t> SliceCosts(const CachePlan& plan) const override;
  const KvCacheManager::Geometry& cache_geometry() const override { return store_.geometry(); }
  absl::StatusOr<std::optional<at::Tensor>> Prefill(const PrefillWork& work) override;
  absl::StatusOr<at::Tensor> Decode(const std::vector<Sequence*>& batch,
                                    const UnreadTokens& unread) override;
  bool computes_ahead() const override { return config_.device.is_cuda(); }
  int64_t device_memory_bytes() const override;
  bool HasFailed() override;
  void Forget(const Sequence* sequence) override { reading_.erase(sequence); }

 private:
  // A prompt while it is read.
  struct Reading {
    PrefillState state;
    std::vector<PrefillSlice> slices;
  };

  ModelRunner(const Config& config, LlamaModel model, KvCacheStore store);
  // Reads and continues a short prompt, which nobody gets.
  void WarmUp();
  std::vector<PrefillSlice> PlanSlices(const CachePlan& plan) const;
  Reading& ReadingOf(const Sequence& sequence);

  Config config_;
  LlamaModel model_;
  KvCacheStore store_;
  std::unordered_map<const Sequence*, Reading> reading_;
  // On CUDA: behind the last two decode steps, the older one first.
  std::optional<c10::Event> steps_[2];
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_MODEL_RUNNER_H_
