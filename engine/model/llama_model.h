#ifndef WINDOWKV_ENGINE_MODEL_LLAMA_MODEL_H_
#define WINDOWKV_ENGINE_MODEL_LLAMA_MODEL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/kernels/paged_attention.h"
#include "engine/kv_cache/kv_cache_store.h"
#include "engine/kv_cache/sequence_kv_cache.h"
#include "engine/model/decode_graphs.h"
#include "engine/model/decode_inputs.h"
#include "engine/model/llama_config.h"
#include "engine/model/llama_layer.h"
#include "engine/model/prefill.h"
#include "engine/nn/embedding.h"
#include "engine/nn/linear.h"

namespace windowkv {

// A Llama checkpoint ready to run. Its methods throw what LibTorch throws. One thread at a time.
class LlamaModel {
 public:
  // Reads DIR's weights with the options' dtype to their device. Errors name the file and the
  // tensor.
  static absl::StatusOr<LlamaModel> Load(const std::string& dir, const LlamaConfig& config,
                                         const at::TensorOptions& options);

  // Activations for a prompt that will be compressed by `plan`.
  PrefillState StartPrefill(const std::vector<int32_t>& tokens, const CachePlan& plan) const;

  // One slice. After a layer's last slice the layer is compressed into `cache`.
  void RunPrefillSlice(const PrefillSlice& slice, PrefillState& state, KvCacheStore& store,
                       SequenceKvCache& cache) const;

  // Logits of the prompt's last token, [1, vocab_size] float32, after all slices.
  at::Tensor PrefillLogits(const PrefillState& state) const;

  // One token for each row: caches its K and V and returns logits, [rows, vocab_size] float32,
  // valid until the next call. A row's logits do not depend on the other rows, except for bfloat16
  // on CUDA, where matrix products sum in an order that the number of rows decides. `unread`: the
  // tokens that rows have their place in, [any] int32 on the model's device, as SampleRows chooses
  // them; on CUDA they need not be known yet.
  at::Tensor Decode(const std::vector<DecodeRow>& rows, KvCacheStore& store,
                    const at::Tensor& unread = {});

  // How decode steps run on CUDA, for steps of at most `max_rows` rows and blocks of `block_size`
  // tokens; what they take there is DecodeGraphs::Bytes.
  static DecodeGraphs::Config DecodeConfig(const LlamaConfig& config, int32_t block_size,
                                           int64_t max_rows, bool capture);
  // Before the first step; by default nothing is taken ahead, and steps are captured as graphs.
  void ConfigureDecode(int64_t max_rows, bool capture) {
    max_rows_ = max_rows;
    captures_decode_ = capture;
  }

  const LlamaConfig& config() const { return config_; }
  at::Device device() const { return options_.device(); }

 private:
  LlamaModel(const LlamaConfig& config, Embedding embedding, std::vector<LlamaLayer> layers,
             at::Tensor norm, Linear output, const at::TensorOptions& options);
  void RunDecode(const DecodeInputs& inputs, KvCacheStore& store, at::Tensor& logits);
  at::Tensor EmptyLogits(int64_t rows) const;
  void Logits(const at::Tensor& hidden, at::Tensor& logits) const;

  LlamaConfig config_;
  at::TensorOptions options_;
  float attention_scale_;
  Embedding embedding_;
  std::vector<LlamaLayer> layers_;
  at::Tensor norm_;
  Linear output_;
  at::Tensor rope_;
  PagedAttention attention_;
  int64_t max_rows_ = 1;
  bool captures_decode_ = true;
  std::unique_ptr<DecodeGraphs> graphs_;  // on CUDA, from the first step on
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_LLAMA_MODEL_H_
