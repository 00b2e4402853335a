#ifndef WINDOWKV_ENGINE_TEXT_JSON_NODE_H_
#define WINDOWKV_ENGINE_TEXT_JSON_NODE_H_

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

// One place in a JSON file, which knows how to name itself in an error:
// "DIR/tokenizer.json: model.type: expected "BPE", found "Unigram"". A value; it shares the file's
// content with its siblings. Thread-safe.
class JsonNode {
 public:
  // NOT_FOUND: no such file. INVALID_ARGUMENT: not JSON; the message has the position.
  static absl::StatusOr<JsonNode> ReadFile(const std::string& path);

  // The same, but a null node when there is no such file.
  static absl::StatusOr<JsonNode> ReadOptionalFile(const std::string& path);

  // The member of an object. A null node when there is none or this is no object.
  JsonNode operator[](const std::string& key) const;
  // The element of an array, below size().
  JsonNode operator[](size_t index) const;

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
  // `fallback` when null.
  absl::StatusOr<bool> BoolOr(bool fallback) const;
  absl::StatusOr<int64_t> Integer(int64_t min, int64_t max) const;

  // INVALID_ARGUMENT "FILE: PATH: expected `expected`, found VALUE".
  absl::Status Expected(std::string_view expected) const;
  // UNIMPLEMENTED with the same message: a valid file that asks for what we do not do.
  absl::Status Unsupported(std::string_view supported) const;

 private:
  JsonNode(std::shared_ptr<const nlohmann::json> value, std::string file, std::string path)
      : value_(std::move(value)), file_(std::move(file)), path_(std::move(path)) {}

  std::string Problem(std::string_view expected) const;

  std::shared_ptr<const nlohmann::json> value_;
  std::string file_;
  std::string path_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_JSON_NODE_H_
