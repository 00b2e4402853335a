#include "server/metrics/process_metrics.h"

#include <dirent.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "prometheus/metric_type.h"

namespace windowkv {
namespace {

// The fields of /proc/self/stat that we use; proc(5) counts them from 1.
struct ProcessStat {
  double user_ticks = 0;      // 14
  double system_ticks = 0;    // 15
  double threads = 0;         // 20
  double start_ticks = 0;     // 22, since boot
  double virtual_bytes = 0;   // 23
  double resident_pages = 0;  // 24
};

std::optional<ProcessStat> ReadProcessStat() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  // The program's name, field 2, may contain spaces; it ends at the last parenthesis.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(text.substr(name_end + 1));
  std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
  constexpr size_t kFirstField = 3;
  if (fields.size() <= 24 - kFirstField) return std::nullopt;
  auto field = [&fields](size_t number) { return std::stod(fields[number - kFirstField]); };
  return ProcessStat{.user_ticks = field(14),
                     .system_ticks = field(15),
                     .threads = field(20),
                     .start_ticks = field(22),
                     .virtual_bytes = field(23),
                     .resident_pages = field(24)};
}

std::optional<double> OpenFileDescriptors() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return std::nullopt;
  int entries = 0;
  while (readdir(directory) != nullptr) ++entries;
  closedir(directory);
  return entries - 3;  // ".", ".." and the directory's own
}

double BootTimeSeconds() {
  std::ifstream file("/proc/stat");
  std::string key;
  while (file >> key) {
    double seconds = 0;
    if (key == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

double StartTimeSeconds(double ticks_per_second) {
  const auto stat = ReadProcessStat();
  const double boot = BootTimeSeconds();
  return stat && boot > 0 ? boot + stat->start_ticks / ticks_per_second : 0;
}

void Append(std::string name, std::string help, prometheus::MetricType type, double value,
            std::vector<prometheus::MetricFamily>* families) {
  prometheus::MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = type;
  family.metric.emplace_back();
  family.metric.back().gauge.value = value;
  family.metric.back().counter.value = value;
  families->push_back(std::move(family));
}

}  // namespace

ProcessMetrics::ProcessMetrics()
    : page_bytes_(static_cast<double>(sysconf(_SC_PAGESIZE))),
      ticks_per_second_(static_cast<double>(sysconf(_SC_CLK_TCK))),
      start_time_seconds_(StartTimeSeconds(ticks_per_second_)) {}

void ProcessMetrics::AppendTo(std::vector<prometheus::MetricFamily>* families) const {
  using prometheus::MetricType;
  if (const auto stat = ReadProcessStat()) {
    Append("process_cpu_seconds_total", "Processor time used, user and system", MetricType::Counter,
           (stat->user_ticks + stat->system_ticks) / ticks_per_second_, families);
    Append("process_resident_memory_bytes", "Memory of the process in RAM", MetricType::Gauge,
           stat->resident_pages * page_bytes_, families);
    Append("process_virtual_memory_bytes", "Address space of the process", MetricType::Gauge,
           stat->virtual_bytes, families);
    Append("process_threads", "Threads of the process", MetricType::Gauge, stat->threads, families);
  }
  if (start_time_seconds_ > 0) {
    Append("process_start_time_seconds", "When the process started, since the Unix epoch",
           MetricType::Gauge, start_time_seconds_, families);
  }
  if (const auto descriptors = OpenFileDescriptors()) {
    Append("process_open_fds", "Open file descriptors", MetricType::Gauge, *descriptors, families);
  }
}

}  // namespace windowkv
