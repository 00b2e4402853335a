#ifndef WINDOWKV_ENGINE_MODEL_LLAMA_MODEL_H_
#define WINDOWKV_ENGINE_MODEL_LLAMA_MODEL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/kernels/paged_attention.h"
#include "engine/kv_cache/kv_cache_store.h"
#include "engine/kv_cache/sequence_kv_cache.h"
#include "engine/model/llama_config.h"
#include "engine/model/llama_layer.h"
#include "engine/model/prefill.h"
#include "engine/nn/embedding.h"
#include "engine/nn/linear.h"

namespace windowkv {

// One sequence's part of a decode step.
struct DecodeRow {
  int32_t token = 0;     // the newest token, whose K and V are not cached yet
  int32_t position = 0;  // its absolute position; not the cached length
  SequenceKvCache* cache = nullptr;
};

// A Llama checkpoint ready to run. Its methods throw what LibTorch throws. One thread at a time.
class LlamaModel {
 public:
  // Reads DIR's weights in `dtype`. Errors name the file and the tensor.
  static absl::StatusOr<LlamaModel> Load(const std::string& dir, const LlamaConfig& config,
                                         at::ScalarType dtype);

  // Activations for a prompt that will be compressed by `plan`.
  PrefillState StartPrefill(std::vector<int32_t> tokens, const CachePlan& plan) const;

  // One slice. After a layer's last slice the layer is compressed into `cache`.
  void RunPrefillSlice(const PrefillSlice& slice, PrefillState& state, KvCacheStore& store,
                       SequenceKvCache& cache) const;

  // Logits of the prompt's last token, [1, vocab_size] float32, after all slices.
  at::Tensor PrefillLogits(const PrefillState& state) const;

  // One token for each row: caches its K and V and returns logits, [rows, vocab_size] float32. A
  // row's logits do not depend on the other rows.
  at::Tensor Decode(const std::vector<DecodeRow>& rows, KvCacheStore& store);

  const LlamaConfig& config() const { return config_; }

 private:
  LlamaModel(const LlamaConfig& config, Embedding embedding, std::vector<LlamaLayer> layers,
             at::Tensor norm, Linear output, at::ScalarType dtype);
  at::Tensor Logits(const at::Tensor& hidden) const;

  LlamaConfig config_;
  at::ScalarType dtype_;
  float attention_scale_;
  Embedding embedding_;
  std::vector<LlamaLayer> layers_;
  at::Tensor norm_;
  Linear output_;
  at::Tensor rope_;
  PagedAttention attention_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_LLAMA_MODEL_H_
