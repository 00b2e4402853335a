#include "engine/runtime/sequence_output.h"

#include <utility>

namespace windowkv {
namespace {

std::vector<int32_t> EndIds(const SamplingParams& params, const std::vector<int32_t>& eos_ids) {
  std::vector<int32_t> ids = params.stop_token_ids;
  if (!params.ignore_eos) ids.insert(ids.end(), eos_ids.begin(), eos_ids.end());
  return ids;
}

}  // namespace

SequenceOutput::SequenceOutput(Sequence* sequence, const RequestTokenizer* tokenizer,
                               const std::vector<int32_t>& eos_ids)
    : sequence_(sequence),
      tokenizer_(tokenizer),
      sampler_(sequence->sampling, sequence->prompt, EndIds(sequence->sampling, eos_ids)),
      detokenizer_(&tokenizer->tokenizer()),
      stop_checker_(sequence->sampling.stop) {
  for (int32_t id : EndIds(sequence->sampling, eos_ids)) end_ids_.insert(id);
}

std::optional<SequenceOutput::End> SequenceOutput::Advance(const SampledToken& token) {
  sequence_->output.push_back(token.id);
  const int32_t count = static_cast<int32_t>(sequence_->output.size());
  ChunkEvent chunk;
  chunk.token_ids.push_back(token.id);
  if (sequence_->sampling.logprobs) AddLogprobs(token, chunk);

  const bool may_match = count > sequence_->sampling.min_tokens;
  std::optional<End> end;
  if (end_ids_.contains(token.id)) {
    end = End{FinishReason::kStop, ""};
  } else {
    chunk.text = stop_checker_.Push(detokenizer_.Push(token.id), may_match);
    if (!stop_checker_.matched().empty()) end = End{FinishReason::kStop, stop_checker_.matched()};
    if (!end && count >= sequence_->sampling.max_tokens) end = End{FinishReason::kLength, ""};
  }
  if (end && end->matched_stop.empty()) {
    chunk.text += stop_checker_.Push(detokenizer_.Flush(), may_match);
    chunk.text += stop_checker_.Flush();
    if (!stop_checker_.matched().empty()) end = End{FinishReason::kStop, stop_checker_.matched()};
  }
  sequence_->stream->Push(std::move(chunk));
  return end;
}

void SequenceOutput::AddLogprobs(const SampledToken& token, ChunkEvent& chunk) const {
  TokenLogprobs logprobs;
  logprobs.chosen = {token.id, token.logprob, tokenizer_->TokenText(token.id)};
  for (const auto& [id, logprob] : token.top) {
    logprobs.top.push_back({id, logprob, tokenizer_->TokenText(id)});
  }
  chunk.logprobs.push_back(std::move(logprobs));
}

}  // namespace windowkv
