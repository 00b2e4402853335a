#include "engine/nn/linear.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>

#include <utility>

#include "engine/base/status.h"
#include "engine/kernels/normed_linear.h"

namespace windowkv {
namespace {

// Up to here RowLinear beats the library's product, which rearranges the weight first.
constexpr int64_t kFewRows = 16;

bool IsFewRows(const at::Tensor& x) { return x.is_cpu() && x.size(0) <= kFewRows; }

}  // namespace

absl::StatusOr<Linear> Linear::Load(const Checkpoint& checkpoint, const std::vector<Part>& parts,
                                    int64_t in_features, bool bias,
                                    const at::TensorOptions& options) {
  std::vector<at::Tensor> weights;
  std::vector<at::Tensor> biases;
  for (const Part& part : parts) {
    WINDOWKV_ASSIGN_OR_RETURN(
        at::Tensor weight,
        checkpoint.Load(part.name + ".weight", {part.out_features, in_features}, options));
    weights.push_back(std::move(weight));
    if (!bias) continue;
    WINDOWKV_ASSIGN_OR_RETURN(at::Tensor values,
                              checkpoint.Load(part.name + ".bias", {part.out_features}, options));
    biases.push_back(std::move(values));
  }
  Linear linear(weights.size() == 1 ? weights[0] : at::cat(weights));
  if (bias) linear.bias_ = biases.size() == 1 ? biases[0] : at::cat(biases);
  return linear;
}

Linear Linear::Slice(int64_t begin, int64_t end) const {
  Linear slice(weight_.slice(0, begin, end));
  if (bias_.defined()) slice.bias_ = bias_.slice(0, begin, end);
  return slice;
}

at::Tensor Linear::Forward(const at::Tensor& x) const {
  if (IsFewRows(x)) {
    at::Tensor out = at::empty({x.size(0), out_features()}, x.options());
    RowLinear(x, weight_, bias_, Accumulate::kNo, out);
    return out;
  }
  return bias_.defined() ? at::linear(x, weight_, bias_) : at::linear(x, weight_);
}

void Linear::AddForward(const at::Tensor& x, at::Tensor& residual) const {
  if (IsFewRows(x)) return RowLinear(x, weight_, bias_, Accumulate::kYes, residual);
  if (bias_.defined()) residual.add_(bias_);
  residual.addmm_(x, weight_.t());
}

void Linear::DecodeForward(const at::Tensor& x, Accumulate accumulate, at::Tensor& out) const {
  RowLinear(x, weight_, bias_, accumulate, out);
}

void Linear::NormedDecodeForward(const at::Tensor& x, const at::Tensor& norm, float eps,
                                 at::Tensor& out) const {
  NormedRowLinear(x, norm, eps, weight_, bias_, out);
}

void Linear::NormedSwiGluDecodeForward(const at::Tensor& x, const at::Tensor& norm, float eps,
                                       at::Tensor& out) const {
  NormedRowSwiGlu(x, norm, eps, weight_, bias_, out);
}

}  // namespace windowkv
