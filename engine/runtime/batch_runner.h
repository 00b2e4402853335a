#ifndef WINDOWKV_ENGINE_RUNTIME_BATCH_RUNNER_H_
#define WINDOWKV_ENGINE_RUNTIME_BATCH_RUNNER_H_

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/kernels/fill_tokens.h"
#include "engine/kv_cache/kv_cache_manager.h"
#include "engine/request/sequence.h"
#include "engine/scheduler/batch.h"

namespace windowkv {

// The newest tokens of a batch's sequences that have not been read: where a step before has put or
// will put them.
struct UnreadTokens {
  at::Tensor ids;  // [any] int32, on the device; undefined when every token is known
  // Of each sequence its row in `ids`, or kKnownToken; empty when every token is known.
  std::vector<int32_t> rows;

  // Of the batch's `i`th sequence.
  int32_t row(size_t i) const { return rows.empty() ? kKnownToken : rows[i]; }
};

// What the engine thread needs of a model: the seam between scheduling and computing, and where a
// fake goes in tests. Made anywhere, then used by the engine thread only, but for SliceCosts.
class BatchRunner {
 public:
  virtual ~BatchRunner() = default;

  // Sets up the calling thread as the one that will run batches.
  virtual void PrepareThread() = 0;

  // Costs of a prompt's slices, for Sequence::slice_costs. Thread-safe.
  virtual std::vector<int64_t> SliceCosts(const CachePlan& plan) const = 0;

  virtual const KvCacheManager::Geometry& cache_geometry() const = 0;

  // Runs the slices. After the prompt's last one: the logits of its last token, [1, vocab_size]
  // float32, on the device. After an error the sequence cannot go on.
  virtual absl::StatusOr<std::optional<at::Tensor>> Prefill(const PrefillWork& work) = 0;

  // One token for each sequence, which is its next_token() or among `unread`: logits
  // [batch, vocab_size] float32, on the device, which may still be computing them; the caller's
  // until the next call. A row does not depend on the others, even if its unread token turns out to
  // be none. After an error the sequences are as before.
  virtual absl::StatusOr<at::Tensor> Decode(const std::vector<Sequence*>& batch,
                                            const UnreadTokens& unread) = 0;

  // Whether Decode returns before the step has been computed, so that tokens are best read when the
  // next step has been started.
  virtual bool computes_ahead() const = 0;

  // What LibTorch holds of a CUDA device's memory; 0 where there is none.
  virtual int64_t device_memory_bytes() const = 0;

  // Asked after an error: whether the device has failed for good, so that nothing that it still
  // runs ends well.
  virtual bool HasFailed() = 0;

  // The sequence will not go on reading: its activations go.
  virtual void Forget(const Sequence* sequence) = 0;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_BATCH_RUNNER_H_
