#ifndef WINDOWKV_ENGINE_KERNELS_SAMPLE_ROWS_H_
#define WINDOWKV_ENGINE_KERNELS_SAMPLE_ROWS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/kernels/host_copy.h"

namespace windowkv {

// What is done to one logit before a token is chosen: `bias` is added; `repetition` divides it when
// it is positive and multiplies it otherwise; `less` is taken away, infinity to rule the token out.
struct LogitEdit {
  int32_t id = 0;
  float bias = 0;
  float repetition = 1;
  float less = 0;
};

// How the token of one row is chosen. Filters are off at 0, 1 and 0.
struct RowSampling {
  int32_t row = 0;        // of the logits
  float temperature = 0;  // 0: the highest logit, and nothing below matters
  int32_t top_k = 0;
  float top_p = 1;
  float min_p = 0;
  double uniform = 0;  // in [0, 1): where in the distribution the token lies
  int32_t edits_begin = 0;
  int32_t edits_end = 0;  // of the edits that come with the rows; an id at most once
};

// The id that is chosen where the logits are no finite numbers.
constexpr int32_t kNoToken = -1;

// Tokens that a device may still be choosing.
class SampledRows {
 public:
  // `ids`: [rows] int32.
  explicit SampledRows(at::Tensor ids) : ids_(std::move(ids)), on_host_(ids_) {}

  // Where the logits lie; good for what is started next, known on the host only once Wait is back.
  const at::Tensor& ids() const { return ids_; }

  // Waits until the tokens are known, not for what was started since.
  std::vector<int32_t> Wait() const;

 private:
  at::Tensor ids_;
  HostCopy on_host_;
};

// Starts choosing a token from each row named in `rows`: edits its logits, which stay edited, then
// takes the highest one, or draws from the softmax at the row's temperature what min_p, top_k and
// top_p, in that order, leave of it. Of equal logits the lower id counts as higher. A drawn token
// is the one at `uniform` when those that are left lie one after another by id. Weights are whole
// numbers (logit_weight.h), so that their sums, and with them the token, do not depend on the
// device or the order of additions.
//   logits: [>= rows, vocab_size] float32, contiguous, at most 2^22 wide.
SampledRows SampleRows(const std::vector<RowSampling>& rows, const std::vector<LogitEdit>& edits,
                       at::Tensor& logits);

// The same on one kind of device: the ids, where the logits lie. There is a row.
at::Tensor SampleRowsCpu(const std::vector<RowSampling>& rows, const std::vector<LogitEdit>& edits,
                         at::Tensor& logits);
at::Tensor SampleRowsCuda(const std::vector<RowSampling>& rows, const std::vector<LogitEdit>& edits,
                          at::Tensor& logits);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_SAMPLE_ROWS_H_
