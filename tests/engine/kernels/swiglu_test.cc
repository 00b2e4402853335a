#include "engine/kernels/swiglu.h"

#include <string>

#include "tests/engine/kernels/kernel_test.h"

namespace windowkv {
namespace {

class SwiGluTest : public KernelTest {};

at::Tensor Expected(const at::Tensor& gate_up) {
  const int64_t width = gate_up.size(1) / 2;
  const at::Tensor gate = gate_up.slice(1, 0, width).to(at::kDouble);
  return gate * gate.sigmoid() * gate_up.slice(1, width).to(at::kDouble);
}

TEST_P(SwiGluTest, EqualsTheFormulaForAnyWidth) {
  for (const int64_t width : {1, 8, 15, 16, 24, 33, 80, 250}) {
    for (const int64_t rows : {1, 2, 5, 17, 70}) {
      SCOPED_TRACE(std::to_string(rows) + " rows of " + std::to_string(width));
      const at::Tensor gate_up = Random({rows, 2 * width}) * 8;
      at::Tensor out = Empty({rows, width});
      SwiGlu(gate_up, out);
      ExpectClose(out, Expected(gate_up), 1e-5);
    }
  }
}

TEST_P(SwiGluTest, LargeGatesNeitherOverflowNorBecomeNaN) {
  at::Tensor gate_up = Random({4, 40});
  gate_up.select(0, 0).slice(0, 0, 20).fill_(-1e4);
  gate_up.select(0, 1).slice(0, 0, 20).fill_(1e4);
  gate_up.select(0, 2).slice(0, 0, 20).fill_(-90);
  gate_up.select(0, 3).slice(0, 0, 20).fill_(0);
  at::Tensor out = Empty({4, 20});
  SwiGlu(gate_up, out);
  ExpectClose(out, Expected(gate_up));
}

INSTANTIATE_TEST_SUITE_P(Targets, SwiGluTest, ::testing::ValuesIn(KernelTargets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
