#ifndef WINDOWKV_ENGINE_CACHE_POLICY_LAYER_ATTENTION_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_LAYER_ATTENTION_H_

#include <ATen/core/Tensor.h>

namespace windowkv {

// What can be seen of one layer's attention over a whole prompt. Views, contiguous and rotated.
struct LayerAttention {
  at::Tensor k;         // [tokens, num_kv_heads, head_dim]
  at::Tensor last_q;    // [observation, num_heads, head_dim], the prompt's last queries
  at::Tensor key_mass;  // [num_heads, tokens] float32: softmax weights summed over all queries;
                        // undefined unless they are observed
  float scale = 0;      // of the products of queries and keys
};

// What each window or token of a prompt is worth, by one layer's attention.
struct ObservedScores {
  at::Tensor values;  // [1 or num_kv_heads, windows or tokens] float32, where the attention is;
                      // higher is more worth keeping
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_LAYER_ATTENTION_H_
