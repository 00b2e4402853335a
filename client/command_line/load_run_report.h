#ifndef WINDOWKV_CLIENT_COMMAND_LINE_LOAD_RUN_REPORT_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_LOAD_RUN_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "client/load/arrival_process.h"
#include "client/load/load_result.h"

namespace windowkv::client {

// What was asked for, for the report's head.
struct LoadRunFacts {
  std::string model = {};
  // As given, with commas between them.
  std::string targets = {};
  // Of an open loop.
  std::optional<ArrivalProcess::Config> arrivals = std::nullopt;
  // Of a closed one.
  int concurrency = 1;
  // As given; empty: the given prompt, and as its request says.
  std::string prompt_tokens = {};
  std::string output_tokens = {};
  uint64_t seed = 0;
  LatencyLimits limits = {};
};

// Counts, a table of latencies, throughput, goodput and errors, for people.
std::string LoadRunText(const LoadRunFacts& facts, const LoadResult& result);
// The same in one object on one line; times are in seconds.
std::string LoadRunJson(const LoadRunFacts& facts, const LoadResult& result);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_LOAD_RUN_REPORT_H_
