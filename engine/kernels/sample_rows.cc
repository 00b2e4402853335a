#include "engine/kernels/sample_rows.h"

namespace windowkv {

std::vector<int32_t> SampleRows(const std::vector<RowSampling>& rows,
                                const std::vector<LogitEdit>& edits, at::Tensor& logits) {
  if (rows.empty()) return {};
  const auto run = logits.is_cuda() ? &SampleRowsCuda : &SampleRowsCpu;
  return run(rows, edits, logits);
}

}  // namespace windowkv
