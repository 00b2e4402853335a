#include "classifier_service/bert_encoder.h"

#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/tanh.h>

#include <algorithm>
#include <numeric>
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
  if (config.classifier_input == ClassifierInput::kPooler) {
    WINDOWKV_RETURN_IF_ERROR(loader.Read("pooler.dense", hidden, hidden, encoder.pooler_));
  }
  return encoder;
}

// How the tokens of several sequences lie one after another: sequences by length, so that those of
// equal length are computed in one operation where they have to be told apart.
class BertEncoder::Packing {
 public:
  // Sequences of equal length.
  struct Run {
    int64_t first_token = 0;
    int64_t first_sequence = 0;  // in order of length
    int64_t sequences = 0;
    int64_t length = 0;

    int64_t tokens() const { return sequences * length; }
  };

  explicit Packing(std::span<const std::span<const int32_t>> sequences) {
    std::vector<size_t> order(sequences.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return sequences[a].size() < sequences[b].size(); });
    const size_t tokens =
        std::accumulate(sequences.begin(), sequences.end(), size_t{0},
                        [](size_t sum, const auto& sequence) { return sum + sequence.size(); });
    const auto rows = static_cast<int64_t>(sequences.size());
    ids_ = at::empty({static_cast<int64_t>(tokens)}, at::kLong);
    positions_ = at::empty_like(ids_);
    first_tokens_ = at::empty({rows}, at::kLong);
    places_ = at::empty({rows}, at::kLong);
    int64_t token = 0;
    for (int64_t row = 0; row < rows; ++row) {
      const size_t original = order[static_cast<size_t>(row)];
      const auto length = static_cast<int64_t>(sequences[original].size());
      first_tokens_.mutable_data_ptr<int64_t>()[row] = token;
      places_.mutable_data_ptr<int64_t>()[original] = row;
      int64_t* const positions = positions_.mutable_data_ptr<int64_t>() + token;
      std::iota(positions, positions + length, 0);
      std::copy(sequences[original].begin(), sequences[original].end(),
                ids_.mutable_data_ptr<int64_t>() + token);
      if (runs_.empty() || runs_.back().length != length) {
        runs_.push_back({.first_token = token, .first_sequence = row, .length = length});
      }
      ++runs_.back().sequences;
      token += length;
    }
  }

  const at::Tensor& ids() const { return ids_; }                    // [tokens]
  const at::Tensor& positions() const { return positions_; }        // [tokens]
  const at::Tensor& first_tokens() const { return first_tokens_; }  // [sequences], by length
  const at::Tensor& places() const {
    return places_;
  }  // [sequences], from given order to by length
  const std::vector<Run>& runs() const { return runs_; }

 private:
  at::Tensor ids_;
  at::Tensor positions_;
  at::Tensor first_tokens_;
  at::Tensor places_;
  std::vector<Run> runs_;
};

at::Tensor BertEncoder::Encode(std::span<const std::span<const int32_t>> sequences) const {
  const Packing packing(sequences);
  at::Tensor hidden = Embed(packing);
  for (size_t i = 0; i + 1 < layers_.size(); ++i) hidden = Apply(layers_[i], hidden, packing);
  if (config_.classifier_input == ClassifierInput::kMean) {
    hidden = Apply(layers_.back(), hidden, packing);
    std::vector<at::Tensor> means;
    for (const Packing::Run& run : packing.runs()) {
      means.push_back(hidden.narrow(0, run.first_token, run.tokens())
                          .view({run.sequences, run.length, config_.hidden_size})
                          .mean(1, /*keepdim=*/false, at::kFloat));
    }
    return at::cat(means).to(hidden.scalar_type()).index_select(0, packing.places());
  }
  const at::Tensor first =
      ApplyToFirst(layers_.back(), hidden, packing).index_select(0, packing.places());
  return config_.classifier_input == ClassifierInput::kCls ? first : at::tanh(pooler_(first));
}

at::Tensor BertEncoder::Linear::operator()(const at::Tensor& input) const {
  return at::linear(input, weight, bias);
}

BertEncoder::Linear BertEncoder::Linear::Outputs(int64_t begin, int64_t count) const {
  return {weight.narrow(0, begin, count), bias.narrow(0, begin, count)};
}

at::Tensor BertEncoder::Normalize(const at::Tensor& input, const Norm& norm) const {
  return at::layer_norm(input, {config_.hidden_size}, norm.weight, norm.bias,
                        config_.layer_norm_eps);
}

at::Tensor BertEncoder::Embed(const Packing& packing) const {
  at::Tensor words = at::embedding(words_, packing.ids());
  return Normalize(words.add_(at::embedding(positions_, packing.positions())), embedding_norm_);
}

at::Tensor BertEncoder::Apply(const Layer& layer, const at::Tensor& input,
                              const Packing& packing) const {
  const at::Tensor qkv = layer.qkv(input);
  at::Tensor attended = at::empty_like(input);
  for (const Packing::Run& run : packing.runs()) {
    const auto parts =
        qkv.narrow(0, run.first_token, run.tokens())
            .view({run.sequences, run.length, 3, config_.num_heads, config_.head_dim})
            .permute({2, 0, 3, 1, 4})  // [3, sequences, num_heads, length, head_dim]
            .unbind();
    attended.narrow(0, run.first_token, run.tokens())
        .view({run.sequences, run.length, config_.num_heads, config_.head_dim})
        .copy_(at::scaled_dot_product_attention(parts[0], parts[1], parts[2]).transpose(1, 2));
  }
  return Finish(layer, input, attended);
}

at::Tensor BertEncoder::ApplyToFirst(const Layer& layer, const at::Tensor& input,
                                     const Packing& packing) const {
  const int64_t hidden = config_.hidden_size;
  const at::Tensor first = input.index_select(0, packing.first_tokens());
  const at::Tensor queries = layer.qkv.Outputs(0, hidden)(first);
  const at::Tensor kv = layer.qkv.Outputs(hidden, 2 * hidden)(input);
  at::Tensor attended = at::empty_like(first);
  for (const Packing::Run& run : packing.runs()) {
    const std::vector<int64_t> shape = {run.sequences, 1, config_.num_heads, config_.head_dim};
    const at::Tensor query = queries.narrow(0, run.first_sequence, run.sequences).view(shape);
    const auto parts =
        kv.narrow(0, run.first_token, run.tokens())
            .view({run.sequences, run.length, 2, config_.num_heads, config_.head_dim})
            .permute({2, 0, 3, 1, 4})  // [2, sequences, num_heads, length, head_dim]
            .unbind();
    attended.narrow(0, run.first_sequence, run.sequences)
        .view(shape)
        .copy_(at::scaled_dot_product_attention(query.transpose(1, 2), parts[0], parts[1])
                   .transpose(1, 2));
  }
  return Finish(layer, first, attended);
}

at::Tensor BertEncoder::Finish(const Layer& layer, const at::Tensor& input,
                               const at::Tensor& attended) const {
  const at::Tensor hidden =
      Normalize(layer.attention_output(attended).add_(input), layer.attention_norm);
  at::Tensor wide = layer.intermediate(hidden);
  return Normalize(layer.output(at::gelu_(wide)).add_(hidden), layer.output_norm);
}

}  // namespace windowkv
