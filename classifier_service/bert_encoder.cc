#include "classifier_service/bert_encoder.h"

#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {

// Reads tensors under the names that Hugging Face gives them.
class BertEncoder::Loader {
 public:
  Loader(const Checkpoint& checkpoint, at::ScalarType dtype)
      : checkpoint_(checkpoint),
        dtype_(dtype),
        prefix_(checkpoint.Has("bert.embeddings.word_embeddings.weight") ? "bert." : "") {}

  absl::Status Read(const std::string& name, const std::vector<int64_t>& shape,
                    at::Tensor& into) const {
    WINDOWKV_ASSIGN_OR_RETURN(into, checkpoint_.Load(prefix_ + name, shape, dtype_));
    return absl::OkStatus();
  }

  absl::Status Read(const std::string& name, int64_t outputs, int64_t inputs, Linear& into) const {
    WINDOWKV_RETURN_IF_ERROR(Read(name + ".weight", {outputs, inputs}, into.weight));
    return Read(name + ".bias", {outputs}, into.bias);
  }

  absl::Status Read(const std::string& name, int64_t size, Norm& into) const {
    // Checkpoints converted from TensorFlow keep its names.
    const bool old_names = checkpoint_.Has(absl::StrCat(prefix_, name, ".gamma"));
    WINDOWKV_RETURN_IF_ERROR(Read(name + (old_names ? ".gamma" : ".weight"), {size}, into.weight));
    return Read(name + (old_names ? ".beta" : ".bias"), {size}, into.bias);
  }

  absl::Status Read(const std::string& name, const BertConfig& config, Layer& into) const {
    const int64_t hidden = config.hidden_size;
    const int64_t wide = config.intermediate_size;
    Linear query, key, value;
    WINDOWKV_RETURN_IF_ERROR(Read(name + "attention.self.query", hidden, hidden, query));
    WINDOWKV_RETURN_IF_ERROR(Read(name + "attention.self.key", hidden, hidden, key));
    WINDOWKV_RETURN_IF_ERROR(Read(name + "attention.self.value", hidden, hidden, value));
    into.qkv.weight = at::cat({query.weight, key.weight, value.weight});
    into.qkv.bias = at::cat({query.bias, key.bias, value.bias});
    WINDOWKV_RETURN_IF_ERROR(
        Read(name + "attention.output.dense", hidden, hidden, into.attention_output));
    WINDOWKV_RETURN_IF_ERROR(
        Read(name + "attention.output.LayerNorm", hidden, into.attention_norm));
    WINDOWKV_RETURN_IF_ERROR(Read(name + "intermediate.dense", wide, hidden, into.intermediate));
    WINDOWKV_RETURN_IF_ERROR(Read(name + "output.dense", hidden, wide, into.output));
    return Read(name + "output.LayerNorm", hidden, into.output_norm);
  }

 private:
  const Checkpoint& checkpoint_;
  const at::ScalarType dtype_;
  const std::string prefix_;
};

absl::StatusOr<BertEncoder> BertEncoder::Load(const Checkpoint& checkpoint,
                                              const BertConfig& config, at::ScalarType dtype) {
  const Loader loader(checkpoint, dtype);
  const int64_t hidden = config.hidden_size;
  BertEncoder encoder(config);
  WINDOWKV_RETURN_IF_ERROR(loader.Read("embeddings.word_embeddings.weight",
                                       {config.vocab_size, hidden}, encoder.words_));
  at::Tensor positions, segments;
  WINDOWKV_RETURN_IF_ERROR(loader.Read("embeddings.position_embeddings.weight",
                                       {config.max_positions, hidden}, positions));
  WINDOWKV_RETURN_IF_ERROR(loader.Read("embeddings.token_type_embeddings.weight",
                                       {config.type_vocab_size, hidden}, segments));
  encoder.positions_ = at::add(positions, segments[0]);
  WINDOWKV_RETURN_IF_ERROR(loader.Read("embeddings.LayerNorm", hidden, encoder.embedding_norm_));
  for (int32_t i = 0; i < config.num_layers; ++i) {
    Layer& layer = encoder.layers_.emplace_back();
    WINDOWKV_RETURN_IF_ERROR(loader.Read(absl::StrCat("encoder.layer.", i, "."), config, layer));
  }
  WINDOWKV_RETURN_IF_ERROR(loader.Read("pooler.dense", hidden, hidden, encoder.pooler_));
  return encoder;
}

at::Tensor BertEncoder::Pool(std::span<const std::span<const int32_t>> sequences) const {
  size_t longest = 0;
  bool padded = false;
  for (const auto& sequence : sequences) {
    longest = std::max(longest, sequence.size());
    padded = padded || sequence.size() != sequences.front().size();
  }
  const int64_t rows = static_cast<int64_t>(sequences.size());
  const int64_t width = static_cast<int64_t>(longest);
  at::Tensor ids = at::zeros({rows, width}, at::kLong);
  at::Tensor mask;  // [rows, 1, 1, width], true where there is a token; undefined without padding
  if (padded) mask = at::zeros({rows, 1, 1, width}, at::kBool);
  for (int64_t row = 0; row < rows; ++row) {
    const auto& sequence = sequences[row];
    std::copy(sequence.begin(), sequence.end(), ids.mutable_data_ptr<int64_t>() + row * width);
    if (padded) {
      std::fill_n(mask.mutable_data_ptr<bool>() + row * width, sequence.size(), true);
    }
  }
  at::Tensor hidden = Embed(ids);
  for (const Layer& layer : layers_) {
    // Of the last layer only the first token is read.
    hidden = Apply(layer, hidden, mask, &layer == &layers_.back() ? 1 : width);
  }
  return at::tanh(pooler_(hidden.select(1, 0)));
}

at::Tensor BertEncoder::Linear::operator()(const at::Tensor& input) const {
  return at::linear(input, weight, bias);
}

at::Tensor BertEncoder::Normalize(const at::Tensor& input, const Norm& norm) const {
  return at::layer_norm(input, {config_.hidden_size}, norm.weight, norm.bias,
                        config_.layer_norm_eps);
}

// [rows, width] to [rows, width, hidden_size].
at::Tensor BertEncoder::Embed(const at::Tensor& ids) const {
  const at::Tensor words = at::embedding(words_, ids);
  return Normalize(at::add(words, positions_.narrow(0, 0, ids.size(1))), embedding_norm_);
}

// [rows, width, hidden_size] to [rows, wanted, hidden_size], the first tokens' outputs.
at::Tensor BertEncoder::Apply(const Layer& layer, const at::Tensor& input, const at::Tensor& mask,
                              int64_t wanted) const {
  const at::Tensor attended = Attend(layer, input, mask, wanted);
  const at::Tensor hidden =
      Normalize(at::add(input.narrow(1, 0, wanted), attended), layer.attention_norm);
  const at::Tensor transformed = layer.output(at::gelu(layer.intermediate(hidden)));
  return Normalize(at::add(hidden, transformed), layer.output_norm);
}

at::Tensor BertEncoder::Attend(const Layer& layer, const at::Tensor& input, const at::Tensor& mask,
                               int64_t wanted) const {
  const int64_t rows = input.size(0);
  const int64_t width = input.size(1);
  const auto qkv = layer.qkv(input)
                       .view({rows, width, 3, config_.num_heads, config_.head_dim})
                       .permute({2, 0, 3, 1, 4})  // [3, rows, num_heads, width, head_dim]
                       .unbind();
  const auto maybe_mask = mask.defined() ? std::optional<at::Tensor>(mask) : std::nullopt;
  const at::Tensor attended =
      at::scaled_dot_product_attention(qkv[0].narrow(2, 0, wanted), qkv[1], qkv[2], maybe_mask);
  return layer.attention_output(
      attended.transpose(1, 2).reshape({rows, wanted, config_.hidden_size}));
}

}  // namespace windowkv
