#ifndef WINDOWKV_ENGINE_NN_LINEAR_H_
#define WINDOWKV_ENGINE_NN_LINEAR_H_

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/kernels/row_linear.h"
#include "engine/weights/checkpoint.h"

namespace windowkv {

// y = x W^T + b. Constant after loading.
class Linear {
 public:
  // One of several projections that share an input and are stored one below the other.
  struct Part {
    std::string name;  // of the module: NAME.weight and NAME.bias
    int64_t out_features = 0;
  };

  // Reads and stacks the parts, [out_features, in_features] each.
  static absl::StatusOr<Linear> Load(const Checkpoint& checkpoint, const std::vector<Part>& parts,
                                     int64_t in_features, bool bias,
                                     const at::TensorOptions& options);
  // A weight that has been loaded already (tied embeddings).
  explicit Linear(at::Tensor weight) : weight_(std::move(weight)) {}

  // Output features [begin, end) alone, sharing the memory.
  Linear Slice(int64_t begin, int64_t end) const;

  // The rows of a prompt, contiguous: [rows, in_features] -> [rows, out_features].
  at::Tensor Forward(const at::Tensor& x) const;
  // The rows of a prompt: residual += x W^T + b.
  void AddForward(const at::Tensor& x, at::Tensor& residual) const;
  // The rows of a decode step, independent of each other; see RowLinear.
  void DecodeForward(const at::Tensor& x, Accumulate accumulate, at::Tensor& out) const;

  // The same of the RMS-normalised rows; see NormedRowLinear.
  void NormedDecodeForward(const at::Tensor& x, const at::Tensor& norm, float eps,
                           at::Tensor& out) const;
  // And then SwiGLU: this is a gate and an up projection, one below the other.
  void NormedSwiGluDecodeForward(const at::Tensor& x, const at::Tensor& norm, float eps,
                                 at::Tensor& out) const;

  int64_t out_features() const { return weight_.size(0); }

 private:
  at::Tensor weight_;  // [out_features, in_features]
  at::Tensor bias_;    // [out_features]; undefined when there is none
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_NN_LINEAR_H_
