#include "classifier_service/bert_task_classifier.h"

#include <ATen/Parallel.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/softmax.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "classifier_service/bert_config.h"
#include "classifier_service/bert_encoder.h"
#include "engine/base/catch_exceptions.h"
#include "engine/base/status.h"
#include "engine/kernels/cpu_features.h"
#include "engine/text/wordpiece.h"
#include "engine/weights/checkpoint.h"

namespace windowkv {
namespace {

constexpr int32_t kMaxRead = 512;      // tokens, as the checkpoints were trained
constexpr int32_t kSpecialTokens = 2;  // [CLS] and [SEP]

// Texts are computed together while they have at most this many tokens, padding included. Small
// texts gain by it, long ones fill the processor alone.
constexpr size_t kMaxBatchTokens = 512;

struct Encoded {
  std::vector<int32_t> ids;
  bool truncated = false;
};

class BertTaskClassifier final : public TaskClassifier {
 public:
  BertTaskClassifier(BertEncoder encoder, at::Tensor head_weight, at::Tensor head_bias,
                     std::vector<Task> tasks, std::unique_ptr<WordPiece> tokenizer,
                     int32_t max_pieces)
      : encoder_(std::move(encoder)),
        head_weight_(std::move(head_weight)),
        head_bias_(std::move(head_bias)),
        tasks_(std::move(tasks)),
        tokenizer_(std::move(tokenizer)),
        max_pieces_(max_pieces) {}

  absl::StatusOr<std::vector<TaskDecision>> Classify(
      std::span<const std::string_view> texts) const override {
    std::vector<Encoded> encoded;
    for (std::string_view text : texts) encoded.push_back(Encode(text));
    std::vector<TaskDecision> decisions(texts.size());
    const absl::Status status = CatchExceptions([&] {
      at::init_num_threads();  // the setting is per thread
      const c10::InferenceMode guard;
      for (const auto& batch : BatchesByLength(encoded)) Decide(encoded, batch, decisions);
    });
    if (!status.ok()) return Annotate(status, "the classifier's computation failed");
    return decisions;
  }

 private:
  Encoded Encode(std::string_view text) const {
    const int32_t head = max_pieces_ / 2;
    WordPiece::Excerpt excerpt =
        tokenizer_->EncodeEnds(text, max_pieces_, head, max_pieces_ - head);
    Encoded encoded;
    encoded.truncated = excerpt.truncated;
    encoded.ids.reserve(excerpt.ids.size() + kSpecialTokens);
    encoded.ids.push_back(tokenizer_->cls_id());
    encoded.ids.insert(encoded.ids.end(), excerpt.ids.begin(), excerpt.ids.end());
    encoded.ids.push_back(tokenizer_->sep_id());
    return encoded;
  }

  // Indices of texts to compute together; neighbours in length, so that padding stays small.
  static std::vector<std::vector<size_t>> BatchesByLength(const std::vector<Encoded>& texts) {
    std::vector<size_t> order(texts.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return texts[a].ids.size() < texts[b].ids.size(); });
    std::vector<std::vector<size_t>> batches;
    for (size_t i : order) {
      if (batches.empty() || (batches.back().size() + 1) * texts[i].ids.size() > kMaxBatchTokens) {
        batches.emplace_back();
      }
      batches.back().push_back(i);
    }
    return batches;
  }

  void Decide(const std::vector<Encoded>& texts, const std::vector<size_t>& batch,
              std::vector<TaskDecision>& decisions) const {
    std::vector<std::span<const int32_t>> sequences;
    sequences.reserve(batch.size());
    for (size_t i : batch) sequences.emplace_back(texts[i].ids);
    const at::Tensor logits = at::linear(encoder_.Pool(sequences), head_weight_, head_bias_);
    const at::Tensor probabilities = at::softmax(logits.to(at::kFloat), 1).contiguous();
    const float* row = probabilities.const_data_ptr<float>();
    for (size_t i : batch) {
      decisions[i] = DecisionOf(std::span(row, tasks_.size()), texts[i]);
      row += tasks_.size();
    }
  }

  TaskDecision DecisionOf(std::span<const float> probabilities, const Encoded& text) const {
    TaskDecision decision;
    for (size_t label = 0; label < tasks_.size(); ++label) {
      decision.probabilities.push_back({tasks_[label], probabilities[label]});
      if (probabilities[label] > decision.confidence) {
        decision.task = tasks_[label];
        decision.confidence = probabilities[label];
      }
    }
    decision.tokens_read = static_cast<int32_t>(text.ids.size());
    decision.truncated = text.truncated;
    return decision;
  }

  const BertEncoder encoder_;
  const at::Tensor head_weight_;  // [labels, hidden_size]
  const at::Tensor head_bias_;
  const std::vector<Task> tasks_;  // by label
  const std::unique_ptr<WordPiece> tokenizer_;
  const int32_t max_pieces_;
};

at::ScalarType ScalarTypeOf(EncoderDtype dtype) {
  if (dtype == EncoderDtype::kAuto) return HasFastBfloat16() ? at::kBFloat16 : at::kFloat;
  return dtype == EncoderDtype::kBfloat16 ? at::kBFloat16 : at::kFloat;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TaskClassifier>> LoadBertTaskClassifier(
    const BertTaskClassifierConfig& config) {
  const std::string& dir = config.model_dir;
  WINDOWKV_ASSIGN_OR_RETURN(const BertConfig bert, LoadBertConfig(dir));
  WINDOWKV_ASSIGN_OR_RETURN(std::vector<Task> tasks, TasksOfLabels(bert, dir));
  WINDOWKV_ASSIGN_OR_RETURN(auto tokenizer, WordPiece::Load(dir));
  if (tokenizer->vocab_size() > bert.vocab_size) {
    return absl::InvalidArgumentError(absl::StrCat(dir, "/vocab.txt: expected at most ",
                                                   bert.vocab_size,
                                                   " pieces, config.json's "
                                                   "vocab_size, found ",
                                                   tokenizer->vocab_size()));
  }
  if (config.threads > 0) at::set_num_threads(config.threads);
  const at::ScalarType dtype = ScalarTypeOf(config.dtype);
  WINDOWKV_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(dir));
  WINDOWKV_ASSIGN_OR_RETURN(BertEncoder encoder, BertEncoder::Load(checkpoint, bert, dtype));
  const int64_t labels = static_cast<int64_t>(tasks.size());
  WINDOWKV_ASSIGN_OR_RETURN(
      at::Tensor head_weight,
      checkpoint.Load("classifier.weight", {labels, bert.hidden_size}, dtype));
  WINDOWKV_ASSIGN_OR_RETURN(at::Tensor head_bias,
                            checkpoint.Load("classifier.bias", {labels}, dtype));
  const int32_t max_pieces = std::min(kMaxRead, bert.max_positions) - kSpecialTokens;
  return std::make_unique<BertTaskClassifier>(std::move(encoder), std::move(head_weight),
                                              std::move(head_bias), std::move(tasks),
                                              std::move(tokenizer), max_pieces);
}

}  // namespace windowkv
