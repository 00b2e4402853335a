#ifndef WINDOWKV_ENGINE_RUNTIME_SEQUENCE_OUTPUT_H_
#define WINDOWKV_ENGINE_RUNTIME_SEQUENCE_OUTPUT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine/request/sequence.h"
#include "engine/request/stop_checker.h"
#include "engine/runtime/request_tokenizer.h"
#include "engine/sampling/sample_tokens.h"
#include "engine/sampling/sampler.h"
#include "engine/text/streaming_detokenizer.h"

namespace windowkv {

// From tokens to text: turns a sequence's next token into text, finds its end, and pushes the chunk
// onto the sequence's stream. One per running sequence; engine thread only.
class SequenceOutput {
 public:
  // `sequence` and `tokenizer` outlive this. `eos_ids` are the model's end-of-text tokens.
  SequenceOutput(Sequence* sequence, const RequestTokenizer* tokenizer,
                 const std::vector<int32_t>& eos_ids);

  struct End {
    FinishReason reason = FinishReason::kStop;
    std::string matched_stop;
  };
  // Returns how the sequence ended, or nothing when it goes on.
  std::optional<End> Advance(const SampledToken& token);

  // Of the sequence's next token.
  Sampler& sampler() { return sampler_; }

 private:
  void AddLogprobs(const SampledToken& token, ChunkEvent& chunk) const;

  Sequence* sequence_;
  const RequestTokenizer* tokenizer_;
  std::unordered_set<int32_t> end_ids_;
  Sampler sampler_;
  StreamingDetokenizer detokenizer_;
  StopChecker stop_checker_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_SEQUENCE_OUTPUT_H_
