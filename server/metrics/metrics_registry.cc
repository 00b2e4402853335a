#include "server/metrics/metrics_registry.h"

#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "server/metrics/process_metrics.h"

namespace windowkv {

MetricsRegistry::MetricsRegistry()
    : registry_(std::make_unique<prometheus::Registry>()),
      process_(std::make_unique<ProcessMetrics>()) {}

MetricsRegistry::~MetricsRegistry() = default;

CounterFamily& MetricsRegistry::AddCounters(const std::string& name, const std::string& help,
                                            const MetricLabels& constant) {
  return prometheus::BuildCounter().Name(name).Help(help).Labels(constant).Register(*registry_);
}

GaugeFamily& MetricsRegistry::AddGauges(const std::string& name, const std::string& help,
                                        const MetricLabels& constant) {
  return prometheus::BuildGauge().Name(name).Help(help).Labels(constant).Register(*registry_);
}

HistogramFamily& MetricsRegistry::AddHistograms(const std::string& name, const std::string& help,
                                                const MetricLabels& constant) {
  return prometheus::BuildHistogram().Name(name).Help(help).Labels(constant).Register(*registry_);
}

prometheus::Counter& MetricsRegistry::AddCounter(const std::string& name, const std::string& help,
                                                 const MetricLabels& constant) {
  return AddCounters(name, help, constant).Add({});
}

prometheus::Gauge& MetricsRegistry::AddGauge(const std::string& name, const std::string& help,
                                             const MetricLabels& constant) {
  return AddGauges(name, help, constant).Add({});
}

prometheus::Histogram& MetricsRegistry::AddHistogram(const std::string& name,
                                                     const std::string& help,
                                                     const std::vector<double>& bounds,
                                                     const MetricLabels& constant) {
  return AddHistograms(name, help, constant).Add({}, bounds);
}

void MetricsRegistry::AddInfo(const std::string& name, const std::string& help,
                              const MetricLabels& labels) {
  AddGauge(name, help, labels).Set(1);
}

void MetricsRegistry::AddBuildInfo(const std::string& program, const std::string& version) {
  AddInfo("windowkv_build_info", "Always 1; the labels say what runs",
          {{"program", program}, {"version", version}});
}

std::string MetricsRegistry::Text() const {
  std::vector<prometheus::MetricFamily> families = registry_->Collect();
  process_->AppendTo(&families);
  return prometheus::TextSerializer().Serialize(families);
}

const std::vector<double>& LatencyBounds() {
  static const auto& bounds =
      *new std::vector<double>{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                               1,     2.5,    5,     10,   30,    60,   120, 300,  600};
  return bounds;
}

const std::vector<double>& FractionBounds() {
  static const auto& bounds = *new std::vector<double>{0.01, 0.02, 0.03, 0.05, 0.1, 0.2,  0.3, 0.4,
                                                       0.5,  0.6,  0.7,  0.8,  0.9, 0.95, 1};
  return bounds;
}

}  // namespace windowkv
