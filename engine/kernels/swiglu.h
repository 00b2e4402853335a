#ifndef WINDOWKV_ENGINE_KERNELS_SWIGLU_H_
#define WINDOWKV_ENGINE_KERNELS_SWIGLU_H_

#include <ATen/core/Tensor.h>

namespace windowkv {

// out = silu(gate) * up (arXiv 2002.05202). gate_up: [rows, 2 * intermediate_size], the gate half
// first; out: [rows, intermediate_size]; both contiguous, float32 or bfloat16, arithmetic in
// float32.
void SwiGlu(const at::Tensor& gate_up, at::Tensor& out);

// The same on one kind of device.
void SwiGluCpu(const at::Tensor& gate_up, at::Tensor& out);
void SwiGluCuda(const at::Tensor& gate_up, at::Tensor& out);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_SWIGLU_H_
