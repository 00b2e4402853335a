#include "server/rpc/logging.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "spdlog/sinks/null_sink.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace windowkv {
namespace {

constexpr char kPattern[] = "time=%Y-%m-%dT%H:%M:%S.%eZ level=%l program=%n%v";

bool NeedsQuotes(std::string_view value) {
  for (const unsigned char c : value) {
    if (c <= 0x20 || c == 0x7F || c == '"' || c == '=' || c == '\\') return true;
  }
  return value.empty();
}

void AppendEscaped(std::string_view value, std::string* out) {
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out->append({'\\', c});
    } else if (c == '\n') {
      out->append("\\n");
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      absl::StrAppend(out, "\\u00", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    } else {
      out->push_back(c);
    }
  }
}

}  // namespace

LogField::LogField(std::string_view key, double value) : key(key), value(absl::StrCat(value)) {}
LogField::LogField(std::string_view key, absl::Duration value)
    : LogField(key, absl::ToDoubleSeconds(value)) {}

std::string LogfmtPair(std::string_view key, std::string_view value) {
  std::string pair = absl::StrCat(" ", ToAbsl(key), "=");
  if (!NeedsQuotes(value)) return pair.append(value);
  pair.push_back('"');
  AppendEscaped(value, &pair);
  pair.push_back('"');
  return pair;
}

absl::StatusOr<Logger> Logger::Create(std::string_view program, std::string_view level) {
  static constexpr std::string_view kLevels[] = {"debug", "info", "warning", "error", "off"};
  if (std::find(std::begin(kLevels), std::end(kLevels), level) == std::end(kLevels)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "log level is \"", ToAbsl(level), "\", must be debug, info, warning, error or off"));
  }
  auto output = std::make_shared<spdlog::logger>(std::string(program),
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  output->set_pattern(kPattern, spdlog::pattern_time_type::utc);
  output->set_level(spdlog::level::from_str(std::string(level)));
  return Logger(std::move(output), "");
}

Logger Logger::Silent() {
  auto output =
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  output->set_level(spdlog::level::off);
  return Logger(std::move(output), "");
}

Logger::Logger(std::shared_ptr<spdlog::logger> output, std::string context)
    : output_(std::move(output)), context_(std::move(context)) {}

Logger Logger::ForRequest(std::string_view request_id) const {
  return Logger(output_, context_ + LogfmtPair("request_id", request_id));
}

Logger Logger::ForTrace(std::string_view trace_id) const {
  return Logger(output_, context_ + LogfmtPair("trace_id", trace_id));
}

void Logger::Debug(std::string_view message, Fields fields) const {
  Write(spdlog::level::debug, message, fields);
}
void Logger::Info(std::string_view message, Fields fields) const {
  Write(spdlog::level::info, message, fields);
}
void Logger::Warning(std::string_view message, Fields fields) const {
  Write(spdlog::level::warn, message, fields);
}
void Logger::Error(std::string_view message, Fields fields) const {
  Write(spdlog::level::err, message, fields);
}

void Logger::Write(int level, std::string_view message, Fields fields) const {
  const auto severity = static_cast<spdlog::level::level_enum>(level);
  if (!output_->should_log(severity)) return;
  std::string line = context_ + LogfmtPair("msg", message);
  for (const LogField& field : fields) line += LogfmtPair(field.key, field.value);
  output_->log(severity, "{}", line);
}

}  // namespace windowkv
