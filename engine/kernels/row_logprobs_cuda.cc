#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/topk.h>

#include "engine/kernels/cuda_staging.h"
#include "engine/kernels/row_logprobs.h"

namespace windowkv {

// Few rows are ever asked for; LibTorch's radix selection reads them a few times, the copy of them
// that the processor would need takes longer than all of it.
LogprobTensors RowLogprobsCuda(const std::vector<ChosenRow>& rows, const at::Tensor& ids,
                               int32_t top, const at::Tensor& logits) {
  std::vector<int64_t> places;
  for (const ChosenRow& row : rows) places.push_back(row.row);
  for (const ChosenRow& row : rows) places.push_back(row.id_at);
  const auto count = static_cast<int64_t>(rows.size());
  const at::Tensor staged = StagedCopy(places, logits.device()).view(at::kLong).view({2, count});
  const at::Tensor of_rows = logits.index_select(0, staged.select(0, 0));
  const at::Tensor chosen = ids.index_select(0, staged.select(0, 1)).clamp_min(0).to(at::kLong);
  const auto [top_logits, top_ids] = at::topk(of_rows, top, 1);
  return {at::cat({of_rows.gather(1, chosen.unsqueeze(1)), top_logits}, 1), top_ids.to(at::kInt),
          at::logsumexp(of_rows, 1).to(at::kDouble)};
}

}  // namespace windowkv
