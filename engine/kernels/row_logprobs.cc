#include "engine/kernels/row_logprobs.h"

#include <algorithm>

namespace windowkv {

void RowLogprobs::Wait() const {
  logprobs_.Wait();
  top_ids_.Wait();
}

float RowLogprobs::Chosen(size_t i) const {
  const at::Tensor& logprobs = logprobs_.Wait();
  return logprobs.const_data_ptr<float>()[static_cast<int64_t>(i) * logprobs.size(1)];
}

std::vector<std::pair<int32_t, float>> RowLogprobs::MostLikely(size_t i, int32_t count) const {
  const at::Tensor& top_ids = top_ids_.Wait();
  const at::Tensor& logprobs = logprobs_.Wait();
  const int64_t top = top_ids.size(1);
  const auto row = static_cast<int64_t>(i);
  const int32_t* ids = top_ids.const_data_ptr<int32_t>() + row * top;
  const float* of_ids = logprobs.const_data_ptr<float>() + row * (1 + top) + 1;
  std::vector<std::pair<int32_t, float>> result;
  for (int64_t at = 0; at < top; ++at) result.emplace_back(ids[at], of_ids[at]);
  // A device may have put equal ones in any order.
  std::ranges::sort(result, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  result.resize(std::min(result.size(), static_cast<size_t>(count)));
  return result;
}

RowLogprobs StartRowLogprobs(const std::vector<ChosenRow>& rows, const at::Tensor& ids, int32_t top,
                             const at::Tensor& logits) {
  const auto run = logits.is_cuda() ? &RowLogprobsCuda : &RowLogprobsCpu;
  const auto vocab_size = static_cast<int32_t>(logits.size(1));
  return RowLogprobs(run(rows, ids, std::min(top, vocab_size), logits));
}

}  // namespace windowkv
