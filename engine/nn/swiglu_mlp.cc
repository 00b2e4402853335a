#include "engine/nn/swiglu_mlp.h"

#include <ATen/ops/empty.h>

#include <utility>

#include "engine/base/status.h"
#include "engine/kernels/swiglu.h"

namespace windowkv {

absl::StatusOr<SwiGluMlp> SwiGluMlp::Load(const Checkpoint& checkpoint, const std::string& name,
                                          int64_t hidden_size, int64_t intermediate_size, bool bias,
                                          const at::TensorOptions& options) {
  WINDOWKV_ASSIGN_OR_RETURN(Linear gate_up, Linear::Load(checkpoint,
                                                         {{name + ".gate_proj", intermediate_size},
                                                          {name + ".up_proj", intermediate_size}},
                                                         hidden_size, bias, options));
  WINDOWKV_ASSIGN_OR_RETURN(
      Linear down, Linear::Load(checkpoint, {{name + ".down_proj", hidden_size}}, intermediate_size,
                                bias, options));
  return SwiGluMlp(std::move(gate_up), std::move(down));
}

void SwiGluMlp::AddForward(const at::Tensor& x, at::Tensor& residual) const {
  const at::Tensor gate_up = gate_up_.Forward(x);
  at::Tensor activated = at::empty({x.size(0), gate_up.size(1) / 2}, x.options());
  SwiGlu(gate_up, activated);
  down_.AddForward(activated, residual);
}

void SwiGluMlp::AddNormedDecodeForward(const at::Tensor& norm, float eps,
                                       at::Tensor& residual) const {
  at::Tensor activated =
      at::empty({residual.size(0), gate_up_.out_features() / 2}, residual.options());
  gate_up_.NormedSwiGluDecodeForward(residual, norm, eps, activated);
  down_.DecodeForward(activated, Accumulate::kYes, residual);
}

}  // namespace windowkv
