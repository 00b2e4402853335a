#include "engine/text/json_node.h"

#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

using nlohmann::json;

constexpr size_t kMaxBriefBytes = 60;

// Never walks into a container: a hostile file may nest without end.
std::string Brief(const json& value) {
  if (value.is_null()) return "nothing";
  if (value.is_array()) return absl::StrCat("an array of ", value.size());
  if (value.is_object()) return absl::StrCat("an object of ", value.size());
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() <= kMaxBriefBytes) return text;
  text.resize(kMaxBriefBytes);
  while (!text.empty() && (static_cast<uint8_t>(text.back()) & 0xC0) == 0x80) text.pop_back();
  if (!text.empty() && static_cast<uint8_t>(text.back()) >= 0xC0) text.pop_back();
  return text + "…";
}

}  // namespace

absl::StatusOr<JsonNode> JsonNode::ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be opened"));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return absl::UnavailableError(absl::StrCat(path, ": reading failed"));
  try {
    return JsonNode(std::make_shared<const json>(json::parse(text)), path, "");
  } catch (const json::exception& error) {
    // The only exceptions that reach us; the message starts with the library's error number.
    const std::string_view what = error.what();
    const size_t name_end = what.find("] ");
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected JSON, found ",
                     ToAbsl(what.substr(name_end == std::string_view::npos ? 0 : name_end + 2))));
  }
}

absl::StatusOr<JsonNode> JsonNode::ReadOptionalFile(const std::string& path) {
  absl::StatusOr<JsonNode> file = ReadFile(path);
  if (absl::IsNotFound(file.status())) return JsonNode(std::make_shared<const json>(), path, "");
  return file;
}

JsonNode JsonNode::operator[](const std::string& key) const {
  static const json kNothing;
  const json* member = &kNothing;
  if (value_->is_object()) {
    if (const auto found = value_->find(key); found != value_->end()) member = &*found;
  }
  return JsonNode(std::shared_ptr<const json>(value_, member), file_,
                  path_.empty() ? key : absl::StrCat(path_, ".", key));
}

JsonNode JsonNode::operator[](size_t index) const {
  return JsonNode(std::shared_ptr<const json>(value_, &(*value_)[index]), file_,
                  absl::StrCat(path_, "[", index, "]"));
}

size_t JsonNode::size() const { return value_->is_structured() ? value_->size() : 0; }

absl::StatusOr<std::string> JsonNode::String() const {
  if (!value_->is_string()) return Expected("a string");
  return *string();
}

absl::StatusOr<bool> JsonNode::BoolOr(bool fallback) const {
  if (value_->is_null()) return fallback;
  if (!value_->is_boolean()) return Expected("true or false");
  return *value_->get_ptr<const bool*>();
}

absl::StatusOr<int64_t> JsonNode::Integer(int64_t min, int64_t max) const {
  const auto refuse = [&] {
    return Expected(absl::StrCat("an integer in [", min, ", ", max, "]"));
  };
  if (!value_->is_number_integer()) return refuse();
  if (const auto* large = value_->get_ptr<const uint64_t*>(); large && *large > INT64_MAX) {
    return refuse();
  }
  const auto number = value_->get<int64_t>();
  if (number < min || number > max) return refuse();
  return number;
}

absl::Status JsonNode::Expected(std::string_view expected) const {
  return absl::InvalidArgumentError(Problem(expected));
}

absl::Status JsonNode::Unsupported(std::string_view supported) const {
  return absl::UnimplementedError(Problem(supported));
}

std::string JsonNode::Problem(std::string_view expected) const {
  return absl::StrCat(file_, ": ", path_, path_.empty() ? "" : ": ", "expected ", ToAbsl(expected),
                      ", found ", Brief(*value_));
}

}  // namespace windowkv
