#include "client/load/load_result.h"

#include "client/error_details.h"
#include "client/proto_duration.h"

namespace windowkv::client {
namespace {

double Share(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

bool LatencyLimits::Keeps(const RequestRecord& record) const {
  if (time_to_first_token) {
    const std::optional<absl::Duration> first = record.time_to_first_token();
    if (!first || *first > *time_to_first_token) return false;
  }
  const std::optional<absl::Duration> mean = record.mean_between_tokens();
  return !between_tokens || !mean || *mean <= *between_tokens;
}

void LoadResult::AddCancelled(const RequestRecord& record) {
  ++cancelled;
  send_delay.Add(record.send_delay());
}

void LoadResult::AddEnded(const RequestRecord& record, const LatencyLimits& limits) {
  send_delay.Add(record.send_delay());
  const absl::Status& status = record.status();
  if (!status.ok()) {
    ++errors[absl::StatusCodeToString(status.code())];
    if (DetailsOf(status).retry_after) ++failed_with_retry_delay;
    if (IsUnreachable(status)) ++unreachable;
    if (!first_error) first_error = status;
    time_to_failure.Add(record.end_to_end());
    return;
  }
  ++completed;
  if (limits.Keeps(record)) ++good;
  const v1::Usage& usage = record.finished().usage();
  prompt_tokens += usage.prompt_tokens();
  output_tokens += usage.completion_tokens();
  bytes_kept += record.finished().receipt().bytes_kept();
  bytes_full += record.finished().receipt().bytes_full();
  if (record.time_to_first_token()) time_to_first_token.Add(*record.time_to_first_token());
  between_tokens.Add(record.between_tokens());
  end_to_end.Add(record.end_to_end());
  queued.Add(ToAbsl(usage.queued()));
}

int64_t LoadResult::failed() const {
  int64_t failed = 0;
  for (const auto& [code, count] : errors) failed += count;
  return failed;
}

double LoadResult::GoodShare() const { return Share(good, completed + failed()); }

double LoadResult::GoodShareOfCompleted() const { return Share(good, completed); }

double LoadResult::PerSecond(int64_t count) const {
  const double seconds = absl::ToDoubleSeconds(wall);
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

}  // namespace windowkv::client
