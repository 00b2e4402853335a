#ifndef WINDOWKV_CLASSIFIER_SERVICE_BERT_ENCODER_H_
#define WINDOWKV_CLASSIFIER_SERVICE_BERT_ENCODER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "classifier_service/bert_config.h"
#include "engine/weights/checkpoint.h"

namespace windowkv {

// The encoder of BERT (arXiv 1810.04805) with what its classification head reads, as Hugging Face's
// BertModel computes them for one segment. Sequences computed together lie one after another,
// without padding; attention alone looks at one at a time. Constant after loading; thread-safe.
// Operations throw LibTorch's exceptions.
class BertEncoder {
 public:
  // Weights in `dtype` (float32 or bfloat16), named as in BertModel or, with "bert." before the
  // names, as in the models built on it. Of the pooler only where it is read. Errors name file,
  // tensor, expected and found.
  static absl::StatusOr<BertEncoder> Load(const Checkpoint& checkpoint, const BertConfig& config,
                                          at::ScalarType dtype);

  // What config.classifier_input says, [sequences, hidden_size], of token ids, special tokens
  // included. Every sequence has 1 to max_positions ids in [0, vocab_size); there is at least one.
  at::Tensor Encode(std::span<const std::span<const int32_t>> sequences) const;

 private:
  struct Linear {
    at::Tensor weight;  // [outputs, inputs]
    at::Tensor bias;
    at::Tensor operator()(const at::Tensor& input) const;
    // Some of the outputs alone.
    Linear Outputs(int64_t begin, int64_t count) const;
  };
  struct Norm {
    at::Tensor weight;
    at::Tensor bias;
  };
  struct Layer {
    Linear qkv;  // the three projections as one, [3 * hidden_size, hidden_size]
    Linear attention_output;
    Norm attention_norm;
    Linear intermediate;
    Linear output;
    Norm output_norm;
  };
  class Loader;
  class Packing;

  explicit BertEncoder(const BertConfig& config) : config_(config) {}
  // All below take and give rows of tokens, [tokens, hidden_size], unless they say otherwise.
  at::Tensor Normalize(const at::Tensor& input, const Norm& norm) const;
  at::Tensor Embed(const Packing& packing) const;
  at::Tensor Apply(const Layer& layer, const at::Tensor& input, const Packing& packing) const;
  // The first tokens' rows alone, [sequences, hidden_size].
  at::Tensor ApplyToFirst(const Layer& layer, const at::Tensor& input,
                          const Packing& packing) const;
  // What comes after attention; `input` and `attended` have the same rows.
  at::Tensor Finish(const Layer& layer, const at::Tensor& input, const at::Tensor& attended) const;

  BertConfig config_;
  at::Tensor words_;      // [vocab_size, hidden_size]
  at::Tensor positions_;  // [max_positions, hidden_size], the first segment's embedding added
  Norm embedding_norm_;
  std::vector<Layer> layers_;
  Linear pooler_;
};

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_BERT_ENCODER_H_
