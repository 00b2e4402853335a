#include "client/quality/quality_result.h"

#include <algorithm>
#include <cmath>

#include "client/proto_duration.h"

namespace windowkv::client {

void QualityTally::AddAnswer(bool exact, const v1::Finished& finished) {
  ++answered_;
  if (exact) ++exact_;
  const v1::Usage& usage = finished.usage();
  prompt_tokens_ += usage.prompt_tokens();
  bytes_kept_ += finished.receipt().bytes_kept();
  bytes_full_ += finished.receipt().bytes_full();
  decode_steps_ += std::max(usage.completion_tokens() - 1, 0);
  time_to_first_token_ += ToAbsl(usage.time_to_first_token());
  prefill_ += ToAbsl(usage.prefill());
  decode_ += ToAbsl(usage.decode());
}

void QualityTally::AddError(const absl::Status& status) {
  ++errors_[absl::StatusCodeToString(status.code())];
}

void QualityTally::Add(const QualityTally& other) {
  answered_ += other.answered_;
  exact_ += other.exact_;
  for (const auto& [code, count] : other.errors_) errors_[code] += count;
  prompt_tokens_ += other.prompt_tokens_;
  bytes_kept_ += other.bytes_kept_;
  bytes_full_ += other.bytes_full_;
  decode_steps_ += other.decode_steps_;
  time_to_first_token_ += other.time_to_first_token_;
  prefill_ += other.prefill_;
  decode_ += other.decode_;
}

int QualityTally::failed() const {
  int failed = 0;
  for (const auto& [code, count] : errors_) failed += count;
  return failed;
}

double QualityTally::ExactMatch() const { return Mean(exact_); }

double QualityTally::StandardError() const {
  const double share = ExactMatch();
  return std::sqrt(Mean(share * (1 - share)));
}

double QualityTally::KeptShare() const {
  return bytes_full_ > 0 ? static_cast<double>(bytes_kept_) / static_cast<double>(bytes_full_) : 0;
}

absl::Duration QualityTally::MeanTimeToFirstToken() const {
  return time_to_first_token_ / std::max(answered_, 1);
}

absl::Duration QualityTally::MeanPrefill() const { return prefill_ / std::max(answered_, 1); }

absl::Duration QualityTally::MeanDecodeStep() const {
  return decode_ / std::max<int64_t>(decode_steps_, 1);
}

std::vector<CacheSetting> QualityResult::Settings() const {
  std::vector<CacheSetting> settings;
  for (const auto& [key, tally] : tallies) {
    if (settings.empty() || settings.back() != key.first) settings.push_back(key.first);
  }
  return settings;
}

QualityTally QualityResult::Over(const CacheSetting& setting) const {
  QualityTally over;
  for (const auto& [key, tally] : tallies) {
    if (key.first == setting) over.Add(tally);
  }
  return over;
}

QualityTally QualityResult::Total() const {
  QualityTally total;
  for (const auto& [key, tally] : tallies) total.Add(tally);
  return total;
}

}  // namespace windowkv::client
