#include "classifier_service/bert_task_classifier.h"

#include <ATen/Parallel.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sub.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "classifier_service/bert_config.h"
#include "classifier_service/bert_encoder.h"
#include "engine/base/status.h"
#include "engine/kernels/catch_exceptions.h"
#include "engine/kernels/cpu_features.h"
#include "engine/kernels/kernel_threads.h"
#include "engine/text/utf8.h"
#include "engine/text/wordpiece.h"
#include "engine/weights/checkpoint.h"

namespace windowkv {
namespace {

constexpr int32_t kMaxRead = 512;      // tokens, as the checkpoints were trained
constexpr int32_t kSpecialTokens = 2;  // [CLS] and [SEP]

// A decision whose two outputs are closer than this in bfloat16 is made again in float32. On 570
// real prompts rounding moved no probability by more than 0.056, which is 0.24 between two close
// outputs.
constexpr float kClose = 0.5F;

// Encoder and head in one dtype. Constant after loading.
struct BertClassifier {
  BertEncoder encoder;
  at::Tensor head_weight;  // [labels, hidden_size]
  at::Tensor head_bias;    // [labels]

  static absl::StatusOr<BertClassifier> Load(const Checkpoint& checkpoint, const BertConfig& config,
                                             at::ScalarType dtype) {
    WINDOWKV_ASSIGN_OR_RETURN(BertEncoder encoder, BertEncoder::Load(checkpoint, config, dtype));
    const auto labels = static_cast<int64_t>(config.labels.size());
    BertClassifier classifier = {std::move(encoder), {}, {}};
    WINDOWKV_ASSIGN_OR_RETURN(
        classifier.head_weight,
        checkpoint.Load("classifier.weight", {labels, config.hidden_size}, dtype));
    WINDOWKV_ASSIGN_OR_RETURN(classifier.head_bias,
                              checkpoint.Load("classifier.bias", {labels}, dtype));
    return classifier;
  }

  // float32, [sequences, labels]
  at::Tensor Logits(std::span<const std::span<const int32_t>> sequences) const {
    return at::linear(encoder.Encode(sequences), head_weight, head_bias).to(at::kFloat);
  }
};

class BertTaskClassifier final : public TaskClassifier {
 public:
  // `exact` computes in float32, where `classifier` does not.
  BertTaskClassifier(BertClassifier classifier, std::optional<BertClassifier> exact,
                     double temperature, std::vector<Task> tasks,
                     std::unique_ptr<WordPiece> tokenizer, int32_t max_pieces)
      : classifier_(std::move(classifier)),
        exact_(std::move(exact)),
        temperature_(temperature),
        tasks_(std::move(tasks)),
        tokenizer_(std::move(tokenizer)),
        max_pieces_(max_pieces) {}

  ReadText Read(std::string_view text) const override {
    const int32_t head = max_pieces_ / 2;
    const WordPiece::Excerpt excerpt =
        tokenizer_->EncodeEnds(text, max_pieces_, head, max_pieces_ - head);
    ReadText read;
    read.truncated = excerpt.truncated;
    read.read = SpansOf(text, excerpt);
    read.unfamiliar = UnfamiliarShare(excerpt.ids);
    read.ids.reserve(excerpt.ids.size() + kSpecialTokens);
    read.ids.push_back(tokenizer_->cls_id());
    read.ids.insert(read.ids.end(), excerpt.ids.begin(), excerpt.ids.end());
    read.ids.push_back(tokenizer_->sep_id());
    return read;
  }

  absl::StatusOr<std::vector<TaskDecision>> Decide(std::span<const ReadText> texts) const override {
    std::vector<TaskDecision> decisions;
    if (texts.empty()) return decisions;
    std::vector<std::span<const int32_t>> sequences;
    sequences.reserve(texts.size());
    for (const ReadText& text : texts) sequences.emplace_back(text.ids);
    const absl::Status status = CatchExceptions([&] {
      at::init_num_threads();  // the setting is per thread
      const c10::InferenceMode guard;
      // In double and below 0, so that no temperature makes infinities of both.
      const at::Tensor logits = Logits(sequences).to(at::kDouble);
      const at::Tensor scaled =
          at::sub(logits, logits.amax(1, /*keepdim=*/true)).div_(temperature_);
      const at::Tensor probabilities = at::softmax(scaled, 1).to(at::kFloat).contiguous();
      const float* row = probabilities.const_data_ptr<float>();
      for (const ReadText& text : texts) {
        decisions.push_back(DecisionOf(std::span(row, tasks_.size()), text));
        row += tasks_.size();
      }
    });
    if (!status.ok()) return Annotate(status, "the classifier's computation failed");
    return decisions;
  }

 private:
  at::Tensor Logits(const std::vector<std::span<const int32_t>>& sequences) const {
    at::Tensor logits = classifier_.Logits(sequences).contiguous();
    if (!exact_) return logits;
    const float* row = logits.const_data_ptr<float>();
    for (size_t i = 0; i < sequences.size(); ++i, row += 2) {
      if (std::abs(row[0] - row[1]) >= kClose) continue;
      logits[static_cast<int64_t>(i)].copy_(exact_->Logits(std::span(sequences).subspan(i, 1))[0]);
    }
    return logits;
  }

  static int64_t CountCharacters(std::string_view text) {
    return static_cast<int64_t>(CountUtf8Characters(text));
  }

  static std::vector<CharacterSpan> SpansOf(std::string_view text,
                                            const WordPiece::Excerpt& excerpt) {
    const int64_t head_end = CountCharacters(text.substr(0, excerpt.head_end));
    if (!excerpt.truncated) return {{0, head_end}};
    const int64_t tail_begin =
        head_end +
        CountCharacters(text.substr(excerpt.head_end, excerpt.tail_begin - excerpt.head_end));
    const int64_t size = tail_begin + CountCharacters(text.substr(excerpt.tail_begin));
    return {{0, head_end}, {tail_begin, size}};
  }

  float UnfamiliarShare(const std::vector<int32_t>& ids) const {
    if (ids.empty()) return 0;
    const auto count = std::count_if(ids.begin(), ids.end(),
                                     [&](int32_t id) { return tokenizer_->IsUnfamiliar(id); });
    return static_cast<float>(count) / static_cast<float>(ids.size());
  }

  TaskDecision DecisionOf(std::span<const float> probabilities, const ReadText& text) const {
    const bool decided = text.unfamiliar < kUndecidedFrom;
    TaskDecision decision;
    for (size_t label = 0; label < tasks_.size(); ++label) {
      const float probability =
          decided ? probabilities[label] : 1.0F / static_cast<float>(tasks_.size());
      decision.probabilities.push_back({tasks_[label], probability});
      if (probability > decision.confidence) {
        decision.task = tasks_[label];
        decision.confidence = probability;
      }
    }
    decision.tokens_read = static_cast<int32_t>(text.ids.size());
    decision.read = text.read;
    decision.truncated = text.truncated;
    decision.unfamiliar = text.unfamiliar;
    return decision;
  }

  const BertClassifier classifier_;
  const std::optional<BertClassifier> exact_;
  const double temperature_;
  const std::vector<Task> tasks_;  // by label, two
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
  WINDOWKV_ASSIGN_OR_RETURN(BertClassifier classifier,
                            BertClassifier::Load(checkpoint, bert, dtype));
  std::optional<BertClassifier> exact;
  if (dtype != at::kFloat) {
    WINDOWKV_ASSIGN_OR_RETURN(exact, BertClassifier::Load(checkpoint, bert, at::kFloat));
  }
  ReleaseKernelThreads();  // another thread will compute
  const int32_t max_pieces = std::min(kMaxRead, bert.max_positions) - kSpecialTokens;
  return std::make_unique<BertTaskClassifier>(std::move(classifier), std::move(exact),
                                              bert.temperature, std::move(tasks),
                                              std::move(tokenizer), max_pieces);
}

}  // namespace windowkv
