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

// The encoder and pooler of BERT (arXiv 1810.04805), as Hugging Face's BertModel computes them for
// one segment. Constant after loading; thread-safe. Operations throw LibTorch's exceptions.
class BertEncoder {
 public:
  // Weights in `dtype` (float32 or bfloat16), named as in BertModel or, with "bert." before the
  // names, as in the models built on it. Errors name file, tensor, expected and found.
  static absl::StatusOr<BertEncoder> Load(const Checkpoint& checkpoint, const BertConfig& config,
                                          at::ScalarType dtype);

  // The pooled output [sequences, hidden_size] of token ids, special tokens included. Shorter
  // sequences are padded to the longest; the result does not depend on it. Every sequence has 1 to
  // max_positions ids in [0, vocab_size).
  at::Tensor Pool(std::span<const std::span<const int32_t>> sequences) const;

 private:
  struct Linear {
    at::Tensor weight;  // [outputs, inputs]
    at::Tensor bias;
    at::Tensor operator()(const at::Tensor& input) const;
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

  explicit BertEncoder(const BertConfig& config) : config_(config) {}
  at::Tensor Normalize(const at::Tensor& input, const Norm& norm) const;
  at::Tensor Embed(const at::Tensor& ids) const;
  at::Tensor Apply(const Layer& layer, const at::Tensor& input, const at::Tensor& mask,
                   int64_t wanted) const;
  at::Tensor Attend(const Layer& layer, const at::Tensor& input, const at::Tensor& mask,
                    int64_t wanted) const;

  BertConfig config_;
  at::Tensor words_;      // [vocab_size, hidden_size]
  at::Tensor positions_;  // [max_positions, hidden_size], the first segment's embedding added
  Norm embedding_norm_;
  std::vector<Layer> layers_;
  Linear pooler_;
};

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_BERT_ENCODER_H_
