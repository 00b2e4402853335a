#include "engine/kernels/swiglu.h"

namespace windowkv {

void SwiGlu(const at::Tensor& gate_up, at::Tensor& out) {
  const auto run = gate_up.is_cuda() ? &SwiGluCuda : &SwiGluCpu;
  run(gate_up, out);
}

}  // namespace windowkv
