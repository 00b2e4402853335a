#include "client/command_line/receipt_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/command_line/enum_names.h"
#include "client/command_line/quantity_text.h"
#include "client/proto_duration.h"

namespace windowkv::client {
namespace {

std::string Row(const std::string& name, const std::string& value) {
  return absl::StrFormat("%-9s %s\n", name, value);
}

std::string Percent(double part, double whole) {
  return whole > 0 ? absl::StrFormat(" (%.1f %%)", 100 * part / whole) : "";
}

std::string PolicyText(const v1::Receipt& receipt) {
  std::string text = EnumName(receipt.policy());
  if (receipt.strategy() != v1::STRATEGY_UNSPECIFIED) {
    absl::StrAppend(&text, ", ", EnumName(receipt.strategy()));
  }
  return text;
}

std::string TaskText(const v1::Receipt& receipt) {
  if (receipt.task() == v1::TASK_UNSPECIFIED) return "not needed";
  std::string text = EnumName(receipt.task());
  if (!receipt.fallback_reason().empty()) {
    // The confidence, if there is one, is not that of this task; the reason names it.
    absl::StrAppend(&text, " (", receipt.fallback_reason(), ")");
  } else if (receipt.task_confidence() > 0) {
    absl::StrAppendFormat(&text, ", confidence %.2f", receipt.task_confidence());
  }
  return text;
}

using Ranges = google::protobuf::RepeatedPtrField<v1::TokenRange>;

// "    head 0 [0, 4) [17, 25)", broken before it gets wider than a terminal.
std::string RangeLines(const std::string& name, const Ranges& ranges) {
  constexpr size_t kWidth = 100;
  std::string lines;
  std::string line = "    " + name;
  for (const v1::TokenRange& range : ranges) {
    const std::string text = absl::StrFormat(" [%d, %d)", range.begin(), range.end());
    if (line.size() + text.size() > kWidth) {
      absl::StrAppend(&lines, line, "\n");
      line = std::string(4 + name.size(), ' ');
    }
    line += text;
  }
  return lines + line + "\n";
}

std::string LayersText(const v1::Receipt::Group& group) {
  if (group.num_layers() == 1) return absl::StrFormat("layer %d", group.first_layer());
  return absl::StrFormat("layers %d-%d", group.first_layer(),
                         group.first_layer() + group.num_layers() - 1);
}

std::string GroupRow(const v1::Receipt::Group& group, int prompt_tokens) {
  std::string row =
      absl::StrFormat("  %-14s kept %6d of budget %6d%s\n", LayersText(group), group.kept_tokens(),
                      group.budget_tokens(), Percent(group.kept_tokens(), prompt_tokens));
  if (!group.kept_ranges().empty()) row += RangeLines("kept", group.kept_ranges());
  for (int head = 0; head < group.kept_by_head_size(); ++head) {
    row += RangeLines(absl::StrCat("KV head ", head), group.kept_by_head(head).ranges());
  }
  return row;
}

std::string TimesText(const v1::Finished& finished) {
  const v1::Usage& usage = finished.usage();
  return absl::StrCat("queued ", DurationText(ToAbsl(usage.queued())), ", prefill ",
                      DurationText(ToAbsl(usage.prefill())), " (selection ",
                      DurationText(ToAbsl(finished.receipt().selection_time())), "), first token ",
                      DurationText(ToAbsl(usage.time_to_first_token())), ", decode ",
                      DurationText(ToAbsl(usage.decode())));
}

// `decode` runs from the first token to the last, so it made one token fewer than there are.
std::string SpeedText(const v1::Usage& usage) {
  const double seconds = absl::ToDoubleSeconds(ToAbsl(usage.decode()));
  const double prefill = absl::ToDoubleSeconds(ToAbsl(usage.prefill()));
  std::string text = prefill > 0
                         ? absl::StrFormat("read %.0f tokens/s", usage.prompt_tokens() / prefill)
                         : "read -";
  if (usage.completion_tokens() < 2 || seconds <= 0) return text;
  return text + absl::StrFormat(", write %.1f tokens/s", (usage.completion_tokens() - 1) / seconds);
}

}  // namespace

std::string ReceiptTable(const v1::Finished& finished) {
  const v1::Receipt& receipt = finished.receipt();
  const v1::Usage& usage = finished.usage();
  std::string end = EnumName(finished.finish_reason());
  if (!finished.matched_stop().empty()) {
    absl::StrAppend(&end, " at \"", finished.matched_stop(), "\"");
  }
  std::string table =
      Row("tokens", absl::StrFormat("prompt %d, generated %d, ended by %s", usage.prompt_tokens(),
                                    usage.completion_tokens(), end)) +
      Row("policy", PolicyText(receipt)) + Row("task", TaskText(receipt));
  for (const auto& group : receipt.groups()) {
    absl::StrAppend(&table, GroupRow(group, usage.prompt_tokens()));
  }
  absl::StrAppend(&table,
                  Row("KV bytes", absl::StrCat("full ", BytesText(receipt.bytes_full()), ", kept ",
                                               BytesText(receipt.bytes_kept()),
                                               Percent(static_cast<double>(receipt.bytes_kept()),
                                                       static_cast<double>(receipt.bytes_full())),
                                               ", peak while reading ",
                                               BytesText(receipt.bytes_prefill_peak()))),
                  Row("times", TimesText(finished)), Row("speed", SpeedText(usage)));
  return table;
}

}  // namespace windowkv::client
