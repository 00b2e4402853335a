#ifndef WINDOWKV_ENGINE_RUNTIME_UNREAD_STEP_H_
#define WINDOWKV_ENGINE_RUNTIME_UNREAD_STEP_H_

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/request/sequence.h"
#include "engine/runtime/batch_runner.h"
#include "engine/sampling/sample_tokens.h"

namespace windowkv {

// A step whose tokens are being chosen and have not been read: the device may still be computing
// them while the next step is started. The engine loop's; engine thread only.
class UnreadStep {
 public:
  // The sequences' tokens in their order, or what starting them failed with. `decode_started`:
  // MonotonicNow() before a decode step that counts for the scheduler's costs.
  UnreadStep(std::vector<Sequence*> sequences, absl::StatusOr<StartedTokens> tokens,
             std::optional<absl::Duration> decode_started)
      : sequences_(std::move(sequences)),
        tokens_(std::move(tokens)),
        decode_started_(decode_started) {}

  bool failed() const { return !tokens_.ok(); }
  std::optional<absl::Duration> decode_started() const { return decode_started_; }

  // In the order of the tokens; null where one has ended.
  const std::vector<Sequence*>& sequences() const { return sequences_; }

  // The sequence has ended: its token is nobody's any more.
  void Drop(const Sequence* sequence);
  // Whether every token is nobody's.
  bool empty() const;

  // Where the next step finds the tokens of `batch`. The step has not failed.
  UnreadTokens TokensOf(const std::vector<Sequence*>& batch) const;

  // Waits until the tokens are known, not for what was started since. An error is every token's.
  absl::Status Wait();
  // The `i`th one, once, after Wait was OK. INTERNAL where the logits were no finite numbers.
  absl::StatusOr<SampledToken> Take(size_t i, Sampler& sampler) {
    return tokens_->Take(i, sampler);
  }

 private:
  std::vector<Sequence*> sequences_;
  absl::StatusOr<StartedTokens> tokens_;
  std::optional<absl::Duration> decode_started_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_UNREAD_STEP_H_
