#ifndef WINDOWKV_ENGINE_NN_EMBEDDING_H_
#define WINDOWKV_ENGINE_NN_EMBEDDING_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "engine/weights/checkpoint.h"

namespace windowkv {

// Token ids to vectors. Constant after loading.
class Embedding {
 public:
  static absl::StatusOr<Embedding> Load(const Checkpoint& checkpoint, const std::string& name,
                                        int64_t vocab_size, int64_t hidden_size,
                                        const at::TensorOptions& options);

  // Row i of `out` [count, hidden_size], contiguous, becomes the vector of ids[i], which is in
  // range. ids: [count] int32, on the weight's device.
  void Lookup(const at::Tensor& ids, at::Tensor& out) const;

  // [vocab_size, hidden_size]
  const at::Tensor& weight() const { return weight_; }

 private:
  explicit Embedding(at::Tensor weight) : weight_(std::move(weight)) {}
  at::Tensor weight_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_NN_EMBEDDING_H_
