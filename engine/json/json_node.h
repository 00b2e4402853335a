#ifndef WINDOWKV_ENGINE_JSON_JSON_NODE_H_
#define WINDOWKV_ENGINE_JSON_JSON_NODE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace windowkv {

// One place in JSON that a program wrote, which knows how to name itself in an error:
// "DIR/config.json: rope_scaling.factor: expected a number in [1, 1e+06], found 0.5". A member that
// is null counts as absent. A value; it shares the content with its siblings. Thread-safe.
class JsonNode {
 public:
  template <typename T>
  struct Range {
    T min;
    T max;
  };

  // The root of `text`: at most 64 levels deep, no key twice in one object. Errors have `code`,
  // here and for every node below, and begin with `source`, the file's path.
  static absl::StatusOr<JsonNode> Parse(std::string_view text, const std::string& source,
                                        absl::StatusCode code = absl::StatusCode::kInvalidArgument);

  // The same for a whole file. NOT_FOUND when there is none.
  static absl::StatusOr<JsonNode> ReadFile(
      const std::string& path, absl::StatusCode code = absl::StatusCode::kInvalidArgument);

  // The same, but a null node when there is no such file.
  static absl::StatusOr<JsonNode> ReadOptionalFile(const std::string& path);

  // The member of an object. A null node when there is none or this is no object.
  JsonNode operator[](const std::string& key) const;
  // The element of an array, below size().
  JsonNode operator[](size_t index) const;

  // The same place as a root whose errors begin with `source`.
  JsonNode WithSource(std::string source) const;

  const nlohmann::json& value() const { return *value_; }
  bool is_null() const { return value_->is_null(); }
  bool is_array() const { return value_->is_array(); }
  bool is_object() const { return value_->is_object(); }
  bool is_string() const { return value_->is_string(); }
  // Elements of an array or object, else 0.
  size_t size() const;

  // Null when this is no string.
  const std::string* string() const { return value_->get_ptr<const std::string*>(); }

  absl::StatusOr<std::string> String() const;
  absl::StatusOr<int64_t> Int(Range<int64_t> range) const;
  absl::StatusOr<double> Number(Range<double> range) const;
  // This, when it is an object.
  absl::StatusOr<JsonNode> Object() const;

  // The same with a value for null.
  absl::StatusOr<bool> BoolOr(bool fallback) const;
  absl::StatusOr<std::string> StringOr(const std::string& fallback) const;
  absl::StatusOr<int64_t> IntOr(int64_t fallback, Range<int64_t> range) const;
  absl::StatusOr<double> NumberOr(double fallback, Range<double> range) const;

  // "SOURCE: PATH: expected `expected`, found VALUE".
  absl::Status Expected(std::string_view expected) const;
  // UNIMPLEMENTED with the same message: valid content that asks for what we do not do.
  absl::Status Unsupported(std::string_view supported) const;

 private:
  struct Source {
    std::string name;
    absl::StatusCode code;
  };

  JsonNode(std::shared_ptr<const nlohmann::json> value, std::shared_ptr<const Source> source,
           std::string path)
      : value_(std::move(value)), source_(std::move(source)), path_(std::move(path)) {}

  static JsonNode Root(nlohmann::json value, const std::string& source, absl::StatusCode code);

  absl::Status Problem(absl::StatusCode code, std::string_view expected) const;

  std::shared_ptr<const nlohmann::json> value_;
  std::shared_ptr<const Source> source_;
  std::string path_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_JSON_JSON_NODE_H_
