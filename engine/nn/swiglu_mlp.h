#ifndef WINDOWKV_ENGINE_NN_SWIGLU_MLP_H_
#define WINDOWKV_ENGINE_NN_SWIGLU_MLP_H_

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/statusor.h"
#include "engine/nn/linear.h"
#include "engine/weights/checkpoint.h"

namespace windowkv {

// Llama's feed-forward part, down(silu(gate(x)) * up(x)) (arXiv 2002.05202), gate and up in one
// product. Constant after loading.
class SwiGluMlp {
 public:
  static absl::StatusOr<SwiGluMlp> Load(const Checkpoint& checkpoint, const std::string& name,
                                        int64_t hidden_size, int64_t intermediate_size, bool bias,
                                        const at::TensorOptions& options);

  // residual += mlp(x); both [rows, hidden_size]. Many rows.
  void AddForward(const at::Tensor& x, at::Tensor& residual) const;
  // residual += mlp(rmsnorm(residual)) for the rows of a decode step, independent of each other.
  void AddNormedDecodeForward(const at::Tensor& norm, float eps, at::Tensor& residual) const;

 private:
  SwiGluMlp(Linear gate_up, Linear down) : gate_up_(std::move(gate_up)), down_(std::move(down)) {}
  Linear gate_up_;
  Linear down_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_NN_SWIGLU_MLP_H_
