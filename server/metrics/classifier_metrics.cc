#include "server/metrics/classifier_metrics.h"

#include <vector>

#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "server/metrics/task_label.h"

namespace windowkv {
namespace {

std::vector<double> TextBounds() { return {1, 2, 4, 8, 16, 32, 64, 128, 256}; }

}  // namespace

ClassifierMetrics::ClassifierMetrics(MetricsRegistry* registry, const std::string& model)
    : ClassifierMetrics(registry, MetricLabels{{"model", model}}) {}

ClassifierMetrics::ClassifierMetrics(MetricsRegistry* r, const MetricLabels& model)
    : decisions_(r->AddCounters("windowkv_classifier_decisions_total", "Texts classified, by task",
                                model)),
      confidence_(r->AddHistograms("windowkv_classifier_confidence",
                                   "Probability of the task decided for", model)),
      tokens_read_(r->AddCounter("windowkv_classifier_tokens_read_total",
                                 "Word pieces the model read", model)),
      truncated_(r->AddCounter("windowkv_classifier_truncated_total",
                               "Texts whose middle was left out", model)),
      undecided_(r->AddCounter("windowkv_classifier_undecided_total",
                               "Texts in letters that the model can't read", model)),
      stream_texts_(r->AddCounter("windowkv_classifier_stream_texts_total",
                                  "Texts answered in streams that ended", model)),
      stream_failures_(r->AddCounter("windowkv_classifier_stream_text_failures_total",
                                     "Texts of ended streams that were answered with an error",
                                     model)),
      texts_per_request_(r->AddHistogram("windowkv_classifier_request_texts",
                                         "Texts of one request", TextBounds(), model)),
      duration_(r->AddHistogram("windowkv_classifier_request_duration_seconds",
                                "From a request's arrival to its end", LatencyBounds(), model)),
      failures_(r->AddCounters("windowkv_classifier_request_failures_total",
                               "Requests that ended with an error, by code", model)),
      slow_readers_(r->AddCounter("windowkv_classifier_slow_readers_total",
                                  "Streams cancelled because their client did not read on", model)),
      running_(r->AddGauge("windowkv_classifier_requests_running", "Requests in progress", model)) {
  for (const Task task : {Task::kLocalization, Task::kAggregation}) {
    decisions_.Add({{"task", TaskLabel(task)}});
    confidence_.Add({{"task", TaskLabel(task)}}, FractionBounds());
  }
}

void ClassifierMetrics::OnDecision(Task task, double confidence, size_t tokens_read,
                                   bool truncated) {
  decisions_.Add({{"task", TaskLabel(task)}}).Increment();
  confidence_.Add({{"task", TaskLabel(task)}}, FractionBounds()).Observe(confidence);
  tokens_read_.Increment(static_cast<double>(tokens_read));
  if (truncated) truncated_.Increment();
}

void ClassifierMetrics::OnUndecided() { undecided_.Increment(); }

void ClassifierMetrics::OnStreamEnded(size_t texts, size_t failed) {
  stream_texts_.Increment(static_cast<double>(texts));
  stream_failures_.Increment(static_cast<double>(failed));
}

void ClassifierMetrics::OnRequestFinished(size_t texts, absl::Duration duration) {
  texts_per_request_.Observe(static_cast<double>(texts));
  duration_.Observe(absl::ToDoubleSeconds(duration));
}

void ClassifierMetrics::OnRequestFailed(absl::StatusCode code) {
  failures_.Add({{"code", absl::StatusCodeToString(code)}}).Increment();
}

void ClassifierMetrics::OnSlowReader() { slow_readers_.Increment(); }

void ClassifierMetrics::OnCallBegan() { running_.Increment(); }

void ClassifierMetrics::OnCallEnded() { running_.Decrement(); }

}  // namespace windowkv
