#include "tests/server/metrics/metrics_table.h"

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "server/metrics/classifier_metrics.h"
#include "server/metrics/metrics_registry.h"
#include "server/metrics/prometheus_engine_metrics.h"
#include "server/metrics/router_metrics.h"

namespace windowkv::testing {
namespace {

constexpr char kEveryProgram[] = "every program";

void HappenOnce(PrometheusEngineMetrics* metrics) {
  metrics->OnModelLoaded({});
  EngineMetrics::RequestEnd end;
  end.policy = "windowkv";
  end.task = "localization";
  end.finish_reason = "stop";
  end.bytes_full = 2;
  end.bytes_kept = 1;
  metrics->OnRequestFinished(end);
}

void HappenOnce(ClassifierMetrics* metrics) {
  metrics->OnDecision(Task::kLocalization, 0.75, 1, false);
  metrics->OnRequestFailed(absl::StatusCode::kInternal);
}

void HappenOnce(RouterMetrics* metrics) {
  metrics->OnClassified(Task::kLocalization);
  metrics->OnPicked("127.0.0.1:50051");
  metrics->OnRetry("127.0.0.1:50051", absl::StatusCode::kUnavailable);
  metrics->OnBackendUp("127.0.0.1:50051", true);
  metrics->OnOpenStreams("127.0.0.1:50051", 0);
  metrics->OnRequestEnded(absl::StatusCode::kOk, absl::ZeroDuration());
}

// Program name → a scrape of it.
std::map<std::string, std::string> Scrapes() {
  std::map<std::string, std::string> texts;
  const auto scrape = [&texts](const std::string& program, auto make) {
    MetricsRegistry registry;
    registry.AddBuildInfo(program, "0");
    auto metrics = make(&registry);
    HappenOnce(&metrics);
    texts[program] = registry.Text();
  };
  scrape("windowkv-generation", [](MetricsRegistry* registry) {
    return PrometheusEngineMetrics(registry, "demo", {"windowkv"});
  });
  scrape("windowkv-classifier",
         [](MetricsRegistry* registry) { return ClassifierMetrics(registry, "demo"); });
  scrape("windowkv-router", [](MetricsRegistry* registry) { return RouterMetrics(registry); });
  return texts;
}

// The families of a scrape, in its order. Samples follow their family's HELP and TYPE.
std::vector<DescribedMetric> Families(const std::string& text) {
  static const std::regex kLabel(R"re(([a-zA-Z_]+)="[^"]*")re");
  std::vector<DescribedMetric> families;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, keyword, name;
    if (line.starts_with("# HELP ")) {
      words >> hash >> keyword >> name;
      families.emplace_back();
      families.back().name = name;
      families.back().help = line.substr(sizeof("# HELP ") + name.size());
    } else if (line.starts_with("# TYPE ")) {
      words >> hash >> keyword >> name >> families.back().type;
    } else {
      std::set<std::string> labels(families.back().labels.begin(), families.back().labels.end());
      for (std::sregex_iterator it(line.begin(), line.end(), kLabel), last; it != last; ++it) {
        if ((*it)[1] != "le") labels.insert((*it)[1]);
      }
      families.back().labels.assign(labels.begin(), labels.end());
    }
  }
  return families;
}

bool IsOfEveryProgram(const DescribedMetric& metric) {
  return metric.name.starts_with("process_") || metric.name == "windowkv_build_info";
}

std::string Row(const DescribedMetric& metric) {
  std::string labels;
  for (const std::string& label : metric.labels)
    labels += (labels.empty() ? "`" : ", `") + label + "`";
  return "| `" + metric.name + "` | " + metric.type + " | " + labels + " | " + UnitOf(metric) +
         " | " + metric.help + " |\n";
}

}  // namespace

std::vector<ProgramMetrics> AllMetrics() {
  std::vector<ProgramMetrics> programs;
  ProgramMetrics shared{.program = kEveryProgram, .metrics = {}};
  for (const auto& [program, text] : Scrapes()) {
    ProgramMetrics own{.program = program, .metrics = {}};
    for (const DescribedMetric& metric : Families(text)) {
      if (!IsOfEveryProgram(metric)) {
        own.metrics.push_back(metric);
      } else if (programs.empty()) {
        shared.metrics.push_back(metric);
      }
    }
    programs.push_back(std::move(own));
  }
  programs.push_back(std::move(shared));
  return programs;
}

std::string TextOfAllMetrics() {
  // promtool refuses a family that is declared twice.
  MetricsRegistry registry;
  registry.AddBuildInfo("all", "0");
  PrometheusEngineMetrics engine(&registry, "demo", {"windowkv"});
  ClassifierMetrics classifier(&registry, "demo");
  RouterMetrics router(&registry);
  HappenOnce(&engine);
  HappenOnce(&classifier);
  HappenOnce(&router);
  return registry.Text();
}

std::string UnitOf(const DescribedMetric& metric) {
  std::string_view name = metric.name;
  if (name.ends_with("_total")) name.remove_suffix(sizeof("_total") - 1);
  if (name == "process_start_time_seconds") return "seconds since 1970";
  if (name.ends_with("_seconds")) return "seconds";
  if (name.ends_with("_bytes")) return "bytes";
  for (const char* share : {"_ratio", "_fraction", "_confidence"}) {
    if (name.ends_with(share)) return "0 to 1";
  }
  if (name.ends_with("_token_layers")) return "tokens × layers";
  if (name.ends_with("_tokens") || name.ends_with("_tokens_read")) return "tokens";
  if (name.ends_with("_info")) return "1";
  if (name.ends_with("_up")) return "0 or 1";
  return "count";
}

std::string MetricsTable() {
  std::string table;
  for (const ProgramMetrics& program : AllMetrics()) {
    table += "### " + program.program +
             "\n\n| name | type | labels | unit | meaning |\n|---|---|---|---|---|\n";
    for (const DescribedMetric& metric : program.metrics) table += Row(metric);
    table += "\n";
  }
  return table;
}

}  // namespace windowkv::testing
