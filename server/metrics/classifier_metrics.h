#ifndef WINDOWKV_SERVER_METRICS_CLASSIFIER_METRICS_H_
#define WINDOWKV_SERVER_METRICS_CLASSIFIER_METRICS_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/task.h"
#include "server/metrics/metrics_registry.h"

namespace windowkv {

// Events of a classifier server; its metrics' names, labels and buckets stand in this class's
// source file. Owned by main; outlives the service. Thread-safe.
class ClassifierMetrics {
 public:
  // `registry` outlives this. `model`, the model's name, labels every series.
  ClassifierMetrics(MetricsRegistry* registry, const std::string& model);

  // One text got its verdict. `confidence` in [0, 1].
  void OnDecision(Task task, double confidence, size_t tokens_read, bool truncated);
  // The model can't read a text, so that its verdict says nothing.
  void OnUndecided();
  // A Classify call of `texts` texts ended well after `duration`.
  void OnRequestFinished(size_t texts, absl::Duration duration);
  // A ClassifyStream call ended, well or not, after `texts` answers, `failed` of them errors.
  void OnStreamEnded(size_t texts, size_t failed);
  // A call ended with an error.
  void OnRequestFailed(absl::StatusCode code);
  // A client that did not read on had its stream cancelled.
  void OnSlowReader();
  // A call begins; it ends once.
  void OnCallBegan();
  void OnCallEnded();

 private:
  ClassifierMetrics(MetricsRegistry* registry, const MetricLabels& model);

  CounterFamily& decisions_;
  HistogramFamily& confidence_;
  prometheus::Counter& tokens_read_;
  prometheus::Counter& truncated_;
  prometheus::Counter& undecided_;
  prometheus::Counter& stream_texts_;
  prometheus::Counter& stream_failures_;
  prometheus::Histogram& texts_per_request_;
  prometheus::Histogram& duration_;
  CounterFamily& failures_;
  prometheus::Counter& slow_readers_;
  prometheus::Gauge& running_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_METRICS_CLASSIFIER_METRICS_H_
