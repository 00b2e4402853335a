#include "classifier_service/text_turns.h"

#include <utility>

namespace windowkv {

void TextTurns::Add(CallerId caller, std::unique_ptr<OpenJob> job) {
  auto& jobs = jobs_[caller];
  if (jobs.empty()) turns_.push_back(caller);
  jobs.push_back(std::move(job));
}

OpenJob& TextTurns::Front() { return *jobs_.at(turns_.front()).front(); }

std::unique_ptr<OpenJob> TextTurns::Pop(bool give_up) {
  const CallerId caller = turns_.front();
  turns_.pop_front();
  const auto entry = jobs_.find(caller);
  auto& jobs = entry->second;
  std::unique_ptr<OpenJob> leaving;
  if (give_up || jobs.front()->taken == jobs.front()->job.texts.size()) {
    leaving = std::move(jobs.front());
    jobs.pop_front();
  }
  if (jobs.empty()) {
    jobs_.erase(entry);
  } else {
    turns_.push_back(caller);
  }
  return leaving;
}

}  // namespace windowkv
