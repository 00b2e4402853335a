#ifndef WINDOWKV_TESTS_SERVER_METRICS_METRICS_TABLE_H_
#define WINDOWKV_TESTS_SERVER_METRICS_METRICS_TABLE_H_

#include <string>
#include <vector>

namespace windowkv::testing {

// What a metric's name, HELP and TYPE say, and the labels its series have been seen with.
struct DescribedMetric {
  std::string name;
  std::string type;
  std::string help;
  std::vector<std::string> labels;  // sorted
};

// The metrics of one program after each of its events has happened once.
struct ProgramMetrics {
  std::string program;  // "windowkv-generation"; "every program" for what all have
  std::vector<DescribedMetric> metrics;
};
std::vector<ProgramMetrics> AllMetrics();

// The text of a scrape with the metrics of all programs.
std::string TextOfAllMetrics();

// The unit in words, from the name.
std::string UnitOf(const DescribedMetric& metric);

// A heading and a Markdown table for each program.
std::string MetricsTable();

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_SERVER_METRICS_METRICS_TABLE_H_
