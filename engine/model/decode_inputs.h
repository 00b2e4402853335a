#ifndef WINDOWKV_ENGINE_MODEL_DECODE_INPUTS_H_
#define WINDOWKV_ENGINE_MODEL_DECODE_INPUTS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/kernels/fill_tokens.h"
#include "engine/kernels/paged_caches.h"
#include "engine/kv_cache/sequence_kv_cache.h"

namespace windowkv {

// One sequence's part of a decode step.
struct DecodeRow {
  int32_t token = 0;     // the newest token, whose K and V are not cached yet
  int32_t position = 0;  // its absolute position; not the cached length
  SequenceKvCache* cache = nullptr;
  // Where the token is in place of `token`: the row of those that a step before chooses.
  int32_t unread_row = kKnownToken;
};

// What a decode step reads of its sequences, one array of int32, so that one copy brings it to a
// device: the block tables' stride, tokens, rows of unread tokens, positions, each layer's cached
// lengths, each layer's block tables. A view of `storage`, which FillDecodeInputs has written.
class DecodeInputs {
 public:
  DecodeInputs(at::Tensor storage, int64_t batch, int64_t num_layers);

  static int64_t Size(int64_t batch, int64_t num_layers, int64_t table_stride);

  int64_t batch() const { return batch_; }
  at::Tensor Tokens() const;
  // Writes down the tokens that rows have in `unread` ([any] int32, on the storage's device), where
  // a step before has put or will put them.
  void FillUnread(const at::Tensor& unread) const;
  const int32_t* positions() const;
  PagedCaches Caches(int64_t layer) const;

 private:
  at::Tensor storage_;  // [at least Size] int32
  int64_t batch_;
  int64_t num_layers_;
};

// Takes a slot for the newest token of each row in each layer of its cache, and writes the rows
// down for a step of `batch` rows; the ones behind are padding without cached tokens. Returns them
// on the CPU, in memory of their own, so that a step's inputs can be written while those of the one
// before are still on their way; pinned when `device` is another.
at::Tensor FillDecodeInputs(const std::vector<DecodeRow>& rows, int64_t batch, int64_t num_layers,
                            at::Device device);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_DECODE_INPUTS_H_
