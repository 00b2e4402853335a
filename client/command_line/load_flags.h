#ifndef WINDOWKV_CLIENT_COMMAND_LINE_LOAD_FLAGS_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_LOAD_FLAGS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/command_line/request_flags.h"
#include "client/load/arrival_process.h"
#include "client/load/length_distribution.h"
#include "client/load/load_run.h"

namespace windowkv::client {

// The flags of a load: when its requests are sent, how many and how long they are, which limits
// they should keep, and what they have in common.
struct LoadFlags {
  RequestFlags request;
  int concurrency = 1;
  ArrivalProcess::Config arrivals;
  std::string gaps = "poisson";
  int64_t requests = 16;
  absl::Duration duration = absl::InfiniteDuration();
  uint64_t seed = 1;
  std::string prompt_tokens = "512";
  std::string output_tokens = "128";
  double cancel_share = 0;
  absl::Duration cancel_within;
  LatencyLimits limits;

  // Those whose presence says something. Owned by the CLI::App.
  CLI::Option* rate_option = nullptr;
  CLI::Option* burstiness_option = nullptr;
  CLI::Option* requests_option = nullptr;
  CLI::Option* duration_option = nullptr;
  CLI::Option* max_tokens_option = nullptr;

  // Instead of sending a given one.
  bool generates_prompts() const { return !request.prompt_given(); }
  // Unset: a closed loop.
  std::optional<ArrivalProcess::Config> Arrivals() const;
  // What the model decides without it: --max-tokens was given.
  std::optional<LengthDistribution> OutputTokens() const;
  LengthDistribution PromptTokens() const;
  // INVALID_ARGUMENT: a rate or a burstiness is out of its range, or a burstiness was given for
  // constant arrivals.
  absl::StatusOr<LoadPlan> Plan(absl::Duration timeout) const;
};

// Adds the flags to `app`. `flags` must outlive the parse and keep its address.
void AddLoadFlags(CLI::App* app, LoadFlags* flags);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_LOAD_FLAGS_H_
