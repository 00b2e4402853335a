#include "client/command_line/quality_report.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/command_line/enum_names.h"
#include "client/command_line/quantity_text.h"

namespace windowkv::client {
namespace {

constexpr CacheSetting kFull;

std::set<Family> FamiliesOf(const QualityResult& result) {
  std::set<Family> families;
  for (const auto& [key, tally] : result.tallies) families.insert(key.second);
  return families;
}

// Exact match as a share of the full cache's; nothing where that is 0.
std::optional<double> OfFull(const QualityTally& tally, const QualityTally& full) {
  if (tally.answered() == 0 || full.exact() == 0) return std::nullopt;
  return tally.ExactMatch() / full.ExactMatch();
}

// "windowkv", or "windowkv, aggregation" where tasks are compared.
std::string NameOf(const CacheSetting& setting) {
  std::string policy = EnumName(setting.policy);
  if (setting.task == v1::TASK_UNSPECIFIED) return policy;
  return absl::StrCat(policy, ", ", EnumName(setting.task));
}

std::string SettingText(const CacheSetting& setting) {
  const std::string budget =
      setting.policy == v1::CACHE_POLICY_FULL ? "-" : absl::StrCat(setting.budget_tokens);
  return absl::StrFormat("%-22s %6s", NameOf(setting), budget);
}

std::string SettingRow(const CacheSetting& setting, const QualityTally& tally,
                       const QualityTally& full) {
  if (tally.answered() == 0) return SettingText(setting) + "  no answer\n";
  const std::optional<double> of_full = OfFull(tally, full);
  return absl::StrFormat(
      "%s  %6.3f +-%5.3f %8s  %10s %6.2f %%  %9s %9s\n", SettingText(setting), tally.ExactMatch(),
      tally.StandardError(), of_full ? absl::StrFormat("%.3f", *of_full) : "-",
      BytesText(static_cast<int64_t>(tally.MeanBytesKept())), 100 * tally.KeptShare(),
      DurationText(tally.MeanTimeToFirstToken()), DurationText(tally.MeanDecodeStep()));
}

std::string FamilyTable(const QualityResult& result) {
  const std::set<Family> families = FamiliesOf(result);
  std::string table = absl::StrFormat("%-22s %6s", "exact match", "budget");
  for (const Family family : families) absl::StrAppendFormat(&table, " %9s", FamilyName(family));
  table += "\n";
  for (const CacheSetting& setting : result.Settings()) {
    table += SettingText(setting);
    for (const Family family : families) {
      const auto cell = result.tallies.find({setting, family});
      const bool answered = cell != result.tallies.end() && cell->second.answered() > 0;
      absl::StrAppendFormat(
          &table, " %9s",
          answered ? absl::StrFormat("%.3f", cell->second.ExactMatch()) : std::string("-"));
    }
    table += "\n";
  }
  return table;
}

nlohmann::json CellJson(const CacheSetting& setting, const std::string& family,
                        const QualityTally& tally, const QualityTally& full) {
  nlohmann::json cell = {
      {"policy", EnumName(setting.policy)},
      {"task", nullptr},
      {"budget_tokens", nullptr},
      {"family", family},
      {"answered", tally.answered()},
      {"exact", tally.exact()},
      {"exact_match", tally.ExactMatch()},
      {"standard_error", tally.StandardError()},
      {"exact_match_of_full", nullptr},
      {"mean_prompt_tokens", tally.MeanPromptTokens()},
      {"mean_bytes_kept", tally.MeanBytesKept()},
      {"mean_bytes_full", tally.MeanBytesFull()},
      {"kept_share", tally.KeptShare()},
      {"mean_time_to_first_token_seconds", absl::ToDoubleSeconds(tally.MeanTimeToFirstToken())},
      {"mean_prefill_seconds", absl::ToDoubleSeconds(tally.MeanPrefill())},
      {"mean_decode_step_seconds", absl::ToDoubleSeconds(tally.MeanDecodeStep())},
      {"errors", tally.errors()}};
  if (setting.task != v1::TASK_UNSPECIFIED) cell["task"] = EnumName(setting.task);
  if (setting.policy != v1::CACHE_POLICY_FULL) cell["budget_tokens"] = setting.budget_tokens;
  if (const auto of_full = OfFull(tally, full)) cell["exact_match_of_full"] = *of_full;
  return cell;
}

nlohmann::json CellsJson(const QualityResult& result) {
  nlohmann::json cells = nlohmann::json::array();
  for (const CacheSetting& setting : result.Settings()) {
    cells.push_back(CellJson(setting, "all", result.Over(setting), result.Over(kFull)));
  }
  for (const auto& [key, tally] : result.tallies) {
    const auto full = result.tallies.find({kFull, key.second});
    cells.push_back(CellJson(key.first, FamilyName(key.second), tally,
                             full == result.tallies.end() ? QualityTally() : full->second));
  }
  return cells;
}

}  // namespace

std::string QualityText(const QualityRunFacts& facts, const QualityResult& result) {
  const QualityTally total = result.Total();
  std::string text = absl::StrFormat(
      "%s: %d documents of about %d tokens (seed %d), %d requests answered, %d at a time, in %s%s\n"
      "mean prompt %.0f tokens; times are means and include waiting for the other requests\n\n",
      facts.model, facts.documents, facts.tokens, facts.seed, total.answered(), facts.concurrency,
      DurationText(result.wall), result.interrupted ? ", interrupted" : "",
      total.MeanPromptTokens());
  absl::StrAppendFormat(&text, "%-22s %6s  %14s %8s  %10s %8s  %9s %9s\n", "policy", "budget",
                        "exact match", "of full", "KV kept", "of full", "1st token", "per token");
  for (const CacheSetting& setting : result.Settings()) {
    text += SettingRow(setting, result.Over(setting), result.Over(kFull));
  }
  absl::StrAppend(&text, "\n", FamilyTable(result));
  for (const auto& [code, count] : total.errors()) {
    absl::StrAppendFormat(&text, "%d failed with %s\n", count, code);
  }
  return text;
}

std::string QualityJson(const QualityRunFacts& facts, const QualityResult& result) {
  const QualityTally total = result.Total();
  const nlohmann::json json = {{"model", facts.model},
                               {"documents", facts.documents},
                               {"tokens", facts.tokens},
                               {"seed", facts.seed},
                               {"concurrency", facts.concurrency},
                               {"interrupted", result.interrupted},
                               {"wall_seconds", absl::ToDoubleSeconds(result.wall)},
                               {"answered", total.answered()},
                               {"mean_prompt_tokens", total.MeanPromptTokens()},
                               {"errors", total.errors()},
                               {"cells", CellsJson(result)}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

QualityPlot QualityPlotOf(const QualityRunFacts& facts, const QualityResult& result) {
  QualityPlot plot;
  plot.title = "Exact match by cache policy and kept share";
  plot.subtitle = absl::StrFormat("%s, %d documents of about %d tokens, one question each",
                                  facts.model, facts.documents, facts.tokens);
  for (const CacheSetting& setting : result.Settings()) {
    const QualityTally tally = result.Over(setting);
    if (tally.answered() == 0) continue;
    if (setting == kFull) {
      plot.reference = tally.ExactMatch();
      continue;
    }
    const std::string name = NameOf(setting);
    if (plot.series.empty() || plot.series.back().name != name) plot.series.push_back({name, {}});
    plot.series.back().points.push_back(
        {tally.KeptShare(), tally.ExactMatch(),
         absl::StrFormat("%s, budget %d tokens: exact match %.3f with %.2f %% of the cache", name,
                         setting.budget_tokens, tally.ExactMatch(), 100 * tally.KeptShare())});
  }
  return plot;
}

}  // namespace windowkv::client
