#ifndef WINDOWKV_TESTS_SERVER_METRICS_PROMETHEUS_TEXT_H_
#define WINDOWKV_TESTS_SERVER_METRICS_PROMETHEUS_TEXT_H_

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "server/metrics/metrics_registry.h"

namespace windowkv::testing {

// A scrape, parsed. Parsing fails the test when a line breaks the text format or a sample has no
// TYPE line before it.
struct PrometheusText {
  // "name{label=\"value\"}" as written → value.
  std::map<std::string, double> samples;
  std::map<std::string, std::string> types;  // family name → counter, gauge, histogram

  // The value of a series; NaN, which equals nothing, when it is not there.
  double Value(const std::string& series) const;
};

PrometheusText Scrape(const MetricsRegistry& registry);

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_SERVER_METRICS_PROMETHEUS_TEXT_H_
