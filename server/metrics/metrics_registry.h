#ifndef WINDOWKV_SERVER_METRICS_METRICS_REGISTRY_H_
#define WINDOWKV_SERVER_METRICS_METRICS_REGISTRY_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
template <typename T>
class Family;
}  // namespace prometheus

namespace windowkv {

class ProcessMetrics;

using MetricLabels = std::map<std::string, std::string>;
using CounterFamily = prometheus::Family<prometheus::Counter>;
using GaugeFamily = prometheus::Family<prometheus::Gauge>;
using HistogramFamily = prometheus::Family<prometheus::Histogram>;

// The metrics of one process, with the process's own (memory, start time) already in it. Owned by
// main; outlives everything that was added, whose references stay valid as long. Thread-safe.
class MetricsRegistry {
 public:
  MetricsRegistry();
  ~MetricsRegistry();

  // A name is added once. `constant` labels stand on every series of the family.
  CounterFamily& AddCounters(const std::string& name, const std::string& help,
                             const MetricLabels& constant = {});
  GaugeFamily& AddGauges(const std::string& name, const std::string& help,
                         const MetricLabels& constant = {});
  HistogramFamily& AddHistograms(const std::string& name, const std::string& help,
                                 const MetricLabels& constant = {});

  // Families of a single series.
  prometheus::Counter& AddCounter(const std::string& name, const std::string& help,
                                  const MetricLabels& constant = {});
  prometheus::Gauge& AddGauge(const std::string& name, const std::string& help,
                              const MetricLabels& constant = {});
  prometheus::Histogram& AddHistogram(const std::string& name, const std::string& help,
                                      const std::vector<double>& bounds,
                                      const MetricLabels& constant = {});

  // A series that is always 1 and says something in its labels.
  void AddInfo(const std::string& name, const std::string& help, const MetricLabels& labels);
  // Which program this is, in which version.
  void AddBuildInfo(const std::string& program, const std::string& version);

  // All of it in Prometheus' text format.
  std::string Text() const;

 private:
  std::unique_ptr<prometheus::Registry> registry_;
  std::unique_ptr<ProcessMetrics> process_;
};

// Upper bounds of every latency histogram: 1 ms to 10 minutes, in seconds.
const std::vector<double>& LatencyBounds();
// Upper bounds for shares: 0.01 to 1.
const std::vector<double>& FractionBounds();

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_METRICS_METRICS_REGISTRY_H_
