#ifndef WINDOWKV_TESTS_CLASSIFIER_SERVICE_GATED_CLASSIFIER_H_
#define WINDOWKV_TESTS_CLASSIFIER_SERVICE_GATED_CLASSIFIER_H_

#include <condition_variable>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "classifier_service/task_classifier.h"

namespace windowkv {

// A classifier that waits at a gate; it reads a piece per byte. Texts that begin with "sum" are
// aggregation; the text "fail" makes the whole call fail. Thread-safe.
class GatedClassifier final : public TaskClassifier {
 public:
  ReadText Read(std::string_view text) const override {
    ReadText read;
    read.ids.assign(text.begin(), text.end());
    read.read = {{0, static_cast<int64_t>(text.size())}};
    read.truncated = text.size() > 512;
    read.unfamiliar = text == "strange" ? 1.0F : 0.0F;
    return read;
  }

  absl::StatusOr<std::vector<TaskDecision>> Decide(std::span<const ReadText> texts) const override {
    std::unique_lock lock(mu_);
    std::vector<std::string>& call = calls_.emplace_back();
    for (const ReadText& text : texts) call.emplace_back(text.ids.begin(), text.ids.end());
    const std::vector<std::string> written = call;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    std::vector<TaskDecision> decisions;
    for (size_t i = 0; i < texts.size(); ++i) {
      if (written[i] == "fail") return absl::InternalError("asked to fail");
      decisions.push_back(DecisionOf(written[i], texts[i]));
    }
    return decisions;
  }

  void Close() {
    const std::lock_guard lock(mu_);
    open_ = false;
  }

  void Open() {
    const std::lock_guard lock(mu_);
    open_ = true;
    changed_.notify_all();
  }

  void WaitForCalls(size_t count) const {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [&] { return calls_.size() >= count; });
  }

  // The texts of each call so far.
  std::vector<std::vector<std::string>> calls() const {
    const std::lock_guard lock(mu_);
    return calls_;
  }

 private:
  static TaskDecision DecisionOf(std::string_view text, const ReadText& read) {
    TaskDecision decision;
    decision.task = text.substr(0, 3) == "sum" ? Task::kAggregation : Task::kLocalization;
    decision.confidence = 0.75F;
    const bool localization = decision.task == Task::kLocalization;
    decision.probabilities = {{Task::kLocalization, localization ? 0.75F : 0.25F},
                              {Task::kAggregation, localization ? 0.25F : 0.75F}};
    decision.tokens_read = static_cast<int32_t>(text.size());
    decision.read = read.read;
    decision.truncated = read.truncated;
    decision.unfamiliar = read.unfamiliar;
    return decision;
  }

  mutable std::mutex mu_;
  mutable std::condition_variable changed_;
  mutable std::vector<std::vector<std::string>> calls_;
  bool open_ = true;
};

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_CLASSIFIER_SERVICE_GATED_CLASSIFIER_H_
