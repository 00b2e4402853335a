#ifndef WINDOWKV_ENGINE_WEIGHTS_JSON_READER_H_
#define WINDOWKV_ENGINE_WEIGHTS_JSON_READER_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace windowkv {

// Parses JSON that a program wrote: at most 64 levels deep, no key twice in one object. Errors have
// `code` and begin with `source`, the file's path.
absl::StatusOr<nlohmann::json> ParseJson(std::string_view text, const std::string& source,
                                         absl::StatusCode code);

// The same for a whole file. NOT_FOUND when there is none.
absl::StatusOr<nlohmann::json> ReadJsonFile(const std::string& path, absl::StatusCode code);

// `value` as JSON, cut to what fits in a message.
std::string BriefJson(const nlohmann::json& value);

// Checked access to the members of one JSON object. Errors say file, key, expected and found:
// "DIR/config.json: num_hidden_layers: expected an integer in [1, 4096], found -3". A member that
// is null counts as absent. Thread-safe.
class JsonFields {
 public:
  template <typename T>
  struct Range {
    T min;
    T max;
  };

  // `value` must be an object and outlive this. `path` is the value's place in the file, empty for
  // the whole file.
  static absl::StatusOr<JsonFields> Of(const nlohmann::json& value, const std::string& source,
                                       absl::StatusCode code, const std::string& path = "");

  // The member, or null when it is absent.
  const nlohmann::json* Find(const std::string& key) const;

  absl::StatusOr<int64_t> Int(const std::string& key, Range<int64_t> range) const;
  absl::StatusOr<double> Number(const std::string& key, Range<double> range) const;
  absl::StatusOr<std::string> String(const std::string& key) const;
  absl::StatusOr<JsonFields> Object(const std::string& key) const;

  // The same with a value for absent members.
  absl::StatusOr<int64_t> IntOr(const std::string& key, int64_t fallback,
                                Range<int64_t> range) const;
  absl::StatusOr<double> NumberOr(const std::string& key, double fallback,
                                  Range<double> range) const;
  absl::StatusOr<std::string> StringOr(const std::string& key, const std::string& fallback) const;
  absl::StatusOr<bool> BoolOr(const std::string& key, bool fallback) const;

  // The error for a member that is not what was expected.
  absl::Status Unexpected(const std::string& key, std::string_view expected) const;
  // The same with a code of its own.
  absl::Status Unexpected(const std::string& key, std::string_view expected,
                          absl::StatusCode code) const;

 private:
  JsonFields(const nlohmann::json* object, std::string source, absl::StatusCode code,
             std::string path)
      : object_(object), source_(std::move(source)), code_(code), path_(std::move(path)) {}

  const nlohmann::json* object_;
  std::string source_;
  absl::StatusCode code_;
  std::string path_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_WEIGHTS_JSON_READER_H_
