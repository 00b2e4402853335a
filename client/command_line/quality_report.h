#ifndef WINDOWKV_CLIENT_COMMAND_LINE_QUALITY_REPORT_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_QUALITY_REPORT_H_

#include <cstdint>
#include <string>

#include "client/quality/quality_plot.h"
#include "client/quality/quality_result.h"

namespace windowkv::client {

// What was measured, for the report's head.
struct QualityRunFacts {
  std::string model;
  int documents = 0;
  // Asked for; the mean of what the server counted stands in the report as well.
  int tokens = 0;
  uint64_t seed = 0;
  int concurrency = 1;
};

// A table policy, task and budget by exact match, bytes and times, then one by family, for people.
std::string QualityText(const QualityRunFacts& facts, const QualityResult& result);
// The same in one object on one line: a cell per policy, task, budget and family, and one over all
// families ("all").
std::string QualityJson(const QualityRunFacts& facts, const QualityResult& result);
// A line per policy and task over all families.
QualityPlot QualityPlotOf(const QualityRunFacts& facts, const QualityResult& result);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_QUALITY_REPORT_H_
