#include "engine/kernels/row_logprobs.h"

#include <algorithm>
#include <numeric>

namespace windowkv {

void RowLogprobs::Wait() const {
  logits_.Wait();
  top_ids_.Wait();
  normalisers_.Wait();
}

float RowLogprobs::Chosen(size_t i) const { return Logprob(i, 0); }

std::vector<std::pair<int32_t, float>> RowLogprobs::MostLikely(size_t i, int32_t count) const {
  const int64_t top = top_ids_.Wait().size(1);
  const auto row = static_cast<int64_t>(i);
  const int32_t* ids = top_ids_.Wait().const_data_ptr<int32_t>() + row * top;
  const float* logits = logits_.Wait().const_data_ptr<float>() + row * (1 + top) + 1;
  std::vector<int64_t> order(static_cast<size_t>(top));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](int64_t a, int64_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : ids[a] < ids[b];
  });
  order.resize(std::min(order.size(), static_cast<size_t>(count)));
  std::vector<std::pair<int32_t, float>> result;
  result.reserve(order.size());
  for (const int64_t at : order) result.emplace_back(ids[at], Logprob(i, 1 + at));
  return result;
}

float RowLogprobs::Logprob(size_t i, int64_t column) const {
  const at::Tensor& logits = logits_.Wait();
  const float logit =
      logits.const_data_ptr<float>()[static_cast<int64_t>(i) * logits.size(1) + column];
  return static_cast<float>(logit - normalisers_.Wait().const_data_ptr<double>()[i]);
}

RowLogprobs StartRowLogprobs(const std::vector<ChosenRow>& rows, const at::Tensor& ids, int32_t top,
                             const at::Tensor& logits) {
  const auto run = logits.is_cuda() ? &RowLogprobsCuda : &RowLogprobsCpu;
  const auto vocab_size = static_cast<int32_t>(logits.size(1));
  return RowLogprobs(run(rows, ids, std::min(top, vocab_size), logits));
}

}  // namespace windowkv
