#ifndef WINDOWKV_CLIENT_COMMAND_LINE_JSON_LINES_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_JSON_LINES_H_

#include <cstddef>
#include <istream>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/message_size.h"

namespace windowkv::client {

// The texts of a file that has one JSON object on each line, {"text": "..."}; other fields are
// ignored. Holds one line at a time. Not thread-safe.
class JsonLines {
 public:
  static constexpr size_t kMaxLineBytes = kMaxBulkTextBytes;

  // `in` is not owned and outlives this.
  explicit JsonLines(std::istream* in) : in_(*in) {}

  // The next line's text, or INVALID_ARGUMENT when it has none; nothing after the last line,
  // or when the stream is bad.
  std::optional<absl::StatusOr<std::string>> Next();

 private:
  std::istream& in_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_JSON_LINES_H_
