#include "tests/bench/device_bounds.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>

#include <iostream>

#include "absl/strings/str_format.h"

namespace windowkv::bench {

void Row(const std::string& what, double value, const std::string& unit, const std::string& must) {
  std::cout << absl::StrFormat("| %-66s | %10.4g %-22s | %-10s |\n", what, value, unit, must)
            << std::flush;
}

Bounds MeasureBounds() {
  Bounds bounds;
  const at::Tensor from = at::randn({int64_t{1} << 30}, kBfloat16);
  at::Tensor to = at::empty_like(from);
  bounds.bytes_per_second =
      2.0 * static_cast<double>(from.nbytes()) / DeviceSeconds([&] { to.copy_(from); });
  const int64_t n = 8192;
  const at::Tensor a = at::randn({n, n}, kBfloat16);
  const at::Tensor b = at::randn({n, n}, kBfloat16);
  bounds.flops = 2.0 * n * n * n / DeviceSeconds([&] { at::matmul(a, b); });
  Row("copy bandwidth", bounds.bytes_per_second / 1e12, "TB/s", "");
  Row("matrix products", bounds.flops / 1e12, "TFLOP/s", "");
  return bounds;
}

}  // namespace windowkv::bench
