#include "client/command_line/load_run_report.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/command_line/quantity_text.h"

namespace windowkv::client {
namespace {

std::string ArrivalsName(const ArrivalProcess::Config& arrivals) {
  if (arrivals.gaps == ArrivalProcess::Gaps::kConstant) return "constant";
  return arrivals.burstiness == 1 ? "poisson" : "gamma";
}

std::string LoopText(const LoadRunFacts& facts) {
  if (!facts.arrivals) return absl::StrFormat("%d at a time", facts.concurrency);
  std::string text = absl::StrFormat("%g requests/s, %s arrivals", facts.arrivals->rate,
                                     ArrivalsName(*facts.arrivals));
  if (facts.arrivals->gaps == ArrivalProcess::Gaps::kGamma && facts.arrivals->burstiness != 1) {
    absl::StrAppendFormat(&text, " of burstiness %g", facts.arrivals->burstiness);
  }
  return text;
}

std::string HeadText(const LoadRunFacts& facts, const LoadResult& result) {
  const std::string prompts =
      facts.prompt_tokens.empty() ? "one prompt" : "prompts of " + facts.prompt_tokens + " tokens";
  const std::string outputs = facts.output_tokens.empty()
                                  ? std::string()
                                  : ", outputs of " + facts.output_tokens + " tokens";
  return absl::StrFormat(
      "%s at %s: %s, %s%s (seed %d)\n"
      "%d requests in %s: %d done, %d failed, %d cancelled; at most %d in flight%s\n",
      facts.model, facts.targets, LoopText(facts), prompts, outputs, facts.seed, result.sent,
      DurationText(result.wall), result.completed, result.failed(), result.cancelled,
      result.peak_in_flight, result.interrupted ? "; interrupted" : "");
}

std::string LatencyRow(const std::string& name, const LatencySummary& latencies) {
  const LatencyFigures figures = latencies.Figures();
  if (figures.count == 0) return "";
  return absl::StrFormat("%-20s %10s %10s %10s %10s %10s %10s\n", name, DurationText(figures.mean),
                         DurationText(figures.p50), DurationText(figures.p90),
                         DurationText(figures.p95), DurationText(figures.p99),
                         DurationText(figures.max));
}

std::string LatencyTable(const LoadResult& result) {
  std::string table = absl::StrFormat("%-20s %10s %10s %10s %10s %10s %10s\n", "", "mean", "p50",
                                      "p90", "p95", "p99", "max");
  table += LatencyRow("time to first token", result.time_to_first_token);
  table += LatencyRow("inter-token latency", result.between_tokens);
  table += LatencyRow("end to end", result.end_to_end);
  table += LatencyRow("queued by the server", result.queued);
  table += LatencyRow("time to failure", result.time_to_failure);
  table += LatencyRow("sent after due", result.send_delay);
  return table;
}

std::string LimitsText(const LatencyLimits& limits) {
  std::vector<std::string> parts;
  if (limits.time_to_first_token) {
    parts.push_back("first token within " + DurationText(*limits.time_to_first_token));
  }
  if (limits.between_tokens) {
    parts.push_back("mean inter-token latency within " + DurationText(*limits.between_tokens));
  }
  return absl::StrJoin(parts, ", ");
}

std::string FiguresText(const LoadRunFacts& facts, const LoadResult& result) {
  std::string text = absl::StrFormat(
      "%-20s %.2f requests/s, %.0f prompt tokens/s, %.0f output tokens/s\n", "throughput",
      result.PerSecond(result.completed), result.PerSecond(result.prompt_tokens),
      result.PerSecond(result.output_tokens));
  if (facts.limits.any()) {
    absl::StrAppendFormat(&text,
                          "%-20s %.1f %% of the requests, %.1f %% of those done, %.2f requests/s: "
                          "%s\n",
                          "goodput", 100 * result.GoodShare(), 100 * result.GoodShareOfCompleted(),
                          result.PerSecond(result.good), LimitsText(facts.limits));
  }
  if (result.bytes_full > 0) {
    absl::StrAppendFormat(
        &text, "%-20s %s of %s (%.2f %%)\n", "prompt KV kept", BytesText(result.bytes_kept),
        BytesText(result.bytes_full),
        100 * static_cast<double>(result.bytes_kept) / static_cast<double>(result.bytes_full));
  }
  return text;
}

std::string ErrorsText(const LoadResult& result) {
  std::string text;
  for (const auto& [code, count] : result.errors) {
    absl::StrAppendFormat(&text, "%d failed with %s\n", count, code);
  }
  if (!text.empty()) {
    absl::StrAppendFormat(&text, "%d of the failed came with a retry delay\n",
                          result.failed_with_retry_delay);
  }
  return text;
}

nlohmann::json LatencyJson(const LatencySummary& latencies) {
  const LatencyFigures figures = latencies.Figures();
  return {
      {"count", figures.count},
      {"mean", absl::ToDoubleSeconds(figures.mean)},
      {"p50", absl::ToDoubleSeconds(figures.p50)},
      {"p90", absl::ToDoubleSeconds(figures.p90)},
      {"p95", absl::ToDoubleSeconds(figures.p95)},
      {"p99", absl::ToDoubleSeconds(figures.p99)},
      {"max", absl::ToDoubleSeconds(figures.max)},
  };
}

nlohmann::json FactsJson(const LoadRunFacts& facts) {
  nlohmann::json json = {
      {"model", facts.model},
      {"targets", std::vector<std::string>(absl::StrSplit(facts.targets, ','))},
      {"seed", facts.seed},
      {"concurrency", nullptr},
      {"rate", nullptr},
      {"arrivals", nullptr},
      {"burstiness", nullptr},
      {"prompt_tokens_asked", nullptr},
      {"output_tokens_asked", nullptr},
  };
  if (!facts.arrivals) {
    json["concurrency"] = facts.concurrency;
  } else {
    json["rate"] = facts.arrivals->rate;
    json["arrivals"] = ArrivalsName(*facts.arrivals);
    if (facts.arrivals->gaps == ArrivalProcess::Gaps::kGamma) {
      json["burstiness"] = facts.arrivals->burstiness;
    }
  }
  if (!facts.prompt_tokens.empty()) json["prompt_tokens_asked"] = facts.prompt_tokens;
  if (!facts.output_tokens.empty()) json["output_tokens_asked"] = facts.output_tokens;
  return json;
}

nlohmann::json SecondsOrNull(const std::optional<absl::Duration>& limit) {
  if (!limit) return nullptr;
  return absl::ToDoubleSeconds(*limit);
}

nlohmann::json GoodputJson(const LatencyLimits& limits, const LoadResult& result) {
  if (!limits.any()) return nullptr;
  return {
      {"time_to_first_token_limit_seconds", SecondsOrNull(limits.time_to_first_token)},
      {"inter_token_latency_limit_seconds", SecondsOrNull(limits.between_tokens)},
      {"requests", result.good},
      {"share", result.GoodShare()},
      {"share_of_completed", result.GoodShareOfCompleted()},
      {"requests_per_second", result.PerSecond(result.good)},
  };
}

}  // namespace

std::string LoadRunText(const LoadRunFacts& facts, const LoadResult& result) {
  return HeadText(facts, result) + "\n" + LatencyTable(result) + "\n" + FiguresText(facts, result) +
         ErrorsText(result);
}

std::string LoadRunJson(const LoadRunFacts& facts, const LoadResult& result) {
  nlohmann::json json = FactsJson(facts);
  json.update(nlohmann::json{
      {"interrupted", result.interrupted},
      {"wall_seconds", absl::ToDoubleSeconds(result.wall)},
      {"sent", result.sent},
      {"completed", result.completed},
      {"failed", result.failed()},
      {"cancelled", result.cancelled},
      {"peak_in_flight", result.peak_in_flight},
      {"errors", result.errors},
      {"failed_with_retry_delay", result.failed_with_retry_delay},
      {"unreachable", result.unreachable},
      {"prompt_tokens", result.prompt_tokens},
      {"output_tokens", result.output_tokens},
      {"requests_per_second", result.PerSecond(result.completed)},
      {"prompt_tokens_per_second", result.PerSecond(result.prompt_tokens)},
      {"output_tokens_per_second", result.PerSecond(result.output_tokens)},
      {"goodput", GoodputJson(facts.limits, result)},
      {"kv_bytes_kept", result.bytes_kept},
      {"kv_bytes_full", result.bytes_full},
      {"time_to_first_token_seconds", LatencyJson(result.time_to_first_token)},
      {"inter_token_latency_seconds", LatencyJson(result.between_tokens)},
      {"end_to_end_seconds", LatencyJson(result.end_to_end)},
      {"queued_seconds", LatencyJson(result.queued)},
      {"time_to_failure_seconds", LatencyJson(result.time_to_failure)},
      {"send_delay_seconds", LatencyJson(result.send_delay)},
  });
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace windowkv::client
