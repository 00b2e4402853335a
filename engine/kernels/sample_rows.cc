#include "engine/kernels/sample_rows.h"

#include <ATen/ops/empty.h>

namespace windowkv {

std::vector<int32_t> SampledRows::Wait() const {
  const at::Tensor& ids = on_host_.Wait();
  const auto* data = ids.const_data_ptr<int32_t>();
  return {data, data + ids.numel()};
}

SampledRows SampleRows(const std::vector<RowSampling>& rows, const std::vector<LogitEdit>& edits,
                       at::Tensor& logits) {
  if (rows.empty()) return SampledRows(at::empty({0}, at::kInt));
  const auto run = logits.is_cuda() ? &SampleRowsCuda : &SampleRowsCpu;
  return SampledRows(run(rows, edits, logits));
}

}  // namespace windowkv
