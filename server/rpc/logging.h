#ifndef WINDOWKV_SERVER_RPC_LOGGING_H_
#define WINDOWKV_SERVER_RPC_LOGGING_H_

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace spdlog {
class logger;
}

namespace windowkv {

// One key=value of a log line.
struct LogField {
  LogField(std::string_view key, std::string_view value) : key(key), value(value) {}
  LogField(std::string_view key, const char* value) : key(key), value(value) {}
  LogField(std::string_view key, bool value) : key(key), value(value ? "true" : "false") {}
  LogField(std::string_view key, double value);
  LogField(std::string_view key, absl::Duration value);  // in seconds
  template <std::integral Integer>
  LogField(std::string_view key, Integer value) : key(key), value(std::to_string(value)) {}

  std::string_view key;
  std::string value;
};

// Writes structured lines (logfmt) to stderr:
//   time=2025-01-31T12:00:00.123Z level=info program=windowkv-router request_id=r1 msg="request
//   accepted" prompt_tokens=12
// A cheap value, passed to whoever logs; copies share one output. Thread-safe.
class Logger {
 public:
  using Fields = std::initializer_list<LogField>;

  // `level`: "debug", "info", "warning", "error" or "off"; else INVALID_ARGUMENT.
  static absl::StatusOr<Logger> Create(std::string_view program, std::string_view level);
  // Writes nothing; for tests.
  static Logger Silent();

  // A logger whose lines all carry this request's id.
  Logger ForRequest(std::string_view request_id) const;
  // A logger whose lines all carry the id of the trace that the request belongs to.
  Logger ForTrace(std::string_view trace_id) const;

  void Debug(std::string_view message, Fields fields = {}) const;
  void Info(std::string_view message, Fields fields = {}) const;
  void Warning(std::string_view message, Fields fields = {}) const;
  void Error(std::string_view message, Fields fields = {}) const;

 private:
  Logger(std::shared_ptr<spdlog::logger> output, std::string context);
  void Write(int level, std::string_view message, Fields fields) const;

  std::shared_ptr<spdlog::logger> output_;
  std::string context_;  // " key=value" of every line
};

// " key=value", the value quoted and escaped where logfmt needs it; no byte of it can end the line.
std::string LogfmtPair(std::string_view key, std::string_view value);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_LOGGING_H_
