#ifndef WINDOWKV_ENGINE_MODEL_LLAMA_LAYER_H_
#define WINDOWKV_ENGINE_MODEL_LLAMA_LAYER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "engine/kernels/paged_attention.h"
#include "engine/kernels/paged_caches.h"
#include "engine/model/llama_config.h"
#include "engine/model/prefill.h"
#include "engine/nn/linear.h"
#include "engine/nn/swiglu_mlp.h"
#include "engine/weights/checkpoint.h"

namespace windowkv {

// A Llama decoder layer: attention with grouped heads (arXiv 2305.13245) and rotary positions,
// SwiGLU, both after RMS normalisation, with residual connections. Constant after loading.
class LlamaLayer {
 public:
  static absl::StatusOr<LlamaLayer> Load(const Checkpoint& checkpoint, const LlamaConfig& config,
                                         int32_t index, const at::TensorOptions& options);

  // Rows [begin, end) of a prompt, whose rows before them this layer has had: their keys and values
  // go to the scratch, their hidden states are updated in place. The last layer computes queries,
  // attention and feed-forward only where they are used: observation rows, and the last token.
  void Prefill(int32_t begin, int32_t end, const at::Tensor& rope, PrefillState& state) const;

  // One token per sequence: `hidden` [batch, hidden_size] is updated in place.
  //   positions: [batch] absolute; caches: this layer's, the new tokens counted; both on the device
  void Decode(const int32_t* positions, const PagedCaches& caches, const at::Tensor& rope,
              PagedAttention& attention, at::Tensor& pool, at::Tensor& hidden) const;

 private:
  // Whether only the observation rows and the last token's output of this layer are used.
  bool ComputesLastRowsOnly(const PrefillState& state) const {
    return is_last_ && !state.observes_all_queries();
  }
  LlamaLayer(const LlamaConfig& config, bool is_last, Linear qkv, Linear output, SwiGluMlp mlp,
             at::Tensor input_norm, at::Tensor post_attention_norm);
  at::Tensor Normed(const at::Tensor& hidden, const at::Tensor& norm) const;
  // Rotated queries [end - begin, num_heads, head_dim].
  at::Tensor ProjectAll(int32_t begin, int32_t end, const at::Tensor& rope,
                        PrefillState& state) const;
  void ProjectKeysAndLastQueries(int32_t begin, int32_t end, const at::Tensor& rope,
                                 PrefillState& state) const;
  // The rows up to `end`: queries become the attention's output.
  void Attend(int32_t end, at::Tensor& q, PrefillState& state) const;
  void Finish(const at::Tensor& attended, int32_t begin, int32_t end, PrefillState& state) const;

  int64_t num_heads_;
  int64_t num_kv_heads_;
  int64_t head_dim_;
  float eps_;
  float scale_;
  bool is_last_;
  Linear qkv_;  // queries, keys, values
  Linear q_;    // its first part
  Linear kv_;   // and the rest
  Linear output_;
  SwiGluMlp mlp_;
  at::Tensor input_norm_;
  at::Tensor post_attention_norm_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_LLAMA_LAYER_H_
