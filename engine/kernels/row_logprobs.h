#ifndef WINDOWKV_ENGINE_KERNELS_ROW_LOGPROBS_H_
#define WINDOWKV_ENGINE_KERNELS_ROW_LOGPROBS_H_

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/kernels/host_copy.h"

namespace windowkv {

// A row of logits that a token was chosen from.
struct ChosenRow {
  int32_t row = 0;    // of the logits
  int32_t id_at = 0;  // where its token stands among the ids
};

// Where the logits lie. A logit less its row's normaliser is the log-probability.
struct LogprobTensors {
  at::Tensor logits;       // [rows, 1 + top] float32: of the chosen token, then of top_ids
  at::Tensor top_ids;      // [rows, top] int32: the most likely first, equal ones in any order
  at::Tensor normalisers;  // [rows] float64
};

// Log-probabilities that a device may still be computing. Throws what LibTorch throws.
class RowLogprobs {
 public:
  explicit RowLogprobs(const LogprobTensors& tensors)
      : logits_(tensors.logits), top_ids_(tensors.top_ids), normalisers_(tensors.normalisers) {}

  // Waits until they are known, not for what was started since; so do the others.
  void Wait() const;

  // Of the token chosen from the `i`th row.
  float Chosen(size_t i) const;
  // The `count` most likely ids of the `i`th row, if so many were asked for, with theirs: the most
  // likely first, of equal ones the lower id; on CUDA LibTorch decides which of equal ones are cut.
  std::vector<std::pair<int32_t, float>> MostLikely(size_t i, int32_t count) const;

 private:
  float Logprob(size_t i, int64_t column) const;

  HostCopy logits_;
  HostCopy top_ids_;
  HostCopy normalisers_;
};

// Starts computing, for each of `rows`, the natural log-probability of the token chosen from it and
// of the `top` most likely ones, or of all when there are fewer. A token that is kNoToken has none
// that means anything.
//   logits: [>= rows, vocab_size] float32, contiguous; may change once this has returned.
//   ids: int32, contiguous, where the logits lie.
// Exponentials are float32; sums of many are float64 on the CPU, and made as a tree on CUDA.
RowLogprobs StartRowLogprobs(const std::vector<ChosenRow>& rows, const at::Tensor& ids, int32_t top,
                             const at::Tensor& logits);

// The same on one kind of device. There is a row, and `top` is at most vocab_size.
LogprobTensors RowLogprobsCpu(const std::vector<ChosenRow>& rows, const at::Tensor& ids,
                              int32_t top, const at::Tensor& logits);
LogprobTensors RowLogprobsCuda(const std::vector<ChosenRow>& rows, const at::Tensor& ids,
                               int32_t top, const at::Tensor& logits);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_ROW_LOGPROBS_H_
