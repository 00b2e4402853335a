#include "engine/json/json_node.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxBriefBytes = 80;
constexpr size_t kMaxBriefElements = 8;

// Walks the text before anything is built from it. The parser itself would keep the last of two
// equal keys and nest without end.
class StrictnessCheck : public nlohmann::json_sax<json> {
 public:
  const std::string& problem() const { return problem_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return Enter(); }
  bool start_array(std::size_t) override { return Enter(); }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }
  bool key(string_t& key) override {
    if (levels_.back().insert(key).second) return true;
    problem_ = absl::StrCat("key \"", key, "\": expected once in its object, found twice");
    return false;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    // The message starts with the library's error number.
    const std::string_view what = error.what();
    const size_t name_end = what.find("] ");
    problem_ =
        absl::StrCat("expected JSON, found ",
                     ToAbsl(what.substr(name_end == std::string_view::npos ? 0 : name_end + 2)));
    return false;
  }

 private:
  bool Enter() {
    levels_.emplace_back();
    if (levels_.size() <= kMaxDepth) return true;
    problem_ = absl::StrCat("expected nesting of at most ", kMaxDepth, " levels, found more");
    return false;
  }
  bool Leave() {
    levels_.pop_back();
    return true;
  }

  std::vector<absl::flat_hash_set<std::string>> levels_;  // the keys of every open object
  std::string problem_;
};

// `value` cut to what fits in a message.
std::string Brief(const json& value) {
  if (value.is_null()) return "nothing";
  if (value.is_structured() && value.size() > kMaxBriefElements) {
    return absl::StrCat(value.is_array() ? "an array of " : "an object of ", value.size());
  }
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() <= kMaxBriefBytes) return text;
  text.resize(kMaxBriefBytes);
  while (!text.empty() && (static_cast<uint8_t>(text.back()) & 0xC0) == 0x80) text.pop_back();
  if (!text.empty() && static_cast<uint8_t>(text.back()) >= 0xC0) text.pop_back();
  return text + "…";
}

}  // namespace

JsonNode JsonNode::Root(json value, const std::string& source, absl::StatusCode code) {
  return JsonNode(std::make_shared<const json>(std::move(value)),
                  std::make_shared<const Source>(Source{source, code}), "");
}

absl::StatusOr<JsonNode> JsonNode::Parse(std::string_view text, const std::string& source,
                                         absl::StatusCode code) {
  StrictnessCheck check;
  if (!json::sax_parse(text, &check)) {
    return absl::Status(code, absl::StrCat(source, ": ", check.problem()));
  }
  return Root(json::parse(text, nullptr, /*allow_exceptions=*/false), source, code);
}

absl::StatusOr<JsonNode> JsonNode::ReadFile(const std::string& path, absl::StatusCode code) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be opened"));
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    return absl::Status(code, absl::StrCat(path, ": expected a regular file"));
  }
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return absl::UnavailableError(absl::StrCat(path, ": reading failed"));
  return Parse(text, path, code);
}

absl::StatusOr<JsonNode> JsonNode::ReadOptionalFile(const std::string& path) {
  absl::StatusOr<JsonNode> file = ReadFile(path);
  if (!absl::IsNotFound(file.status())) return file;
  return Root(nullptr, path, absl::StatusCode::kInvalidArgument);
}

JsonNode JsonNode::operator[](const std::string& key) const {
  static const json kNothing;
  const json* member = &kNothing;
  if (value_->is_object()) {
    if (const auto found = value_->find(key); found != value_->end()) member = &*found;
  }
  return JsonNode(std::shared_ptr<const json>(value_, member), source_,
                  path_.empty() ? key : absl::StrCat(path_, ".", key));
}

JsonNode JsonNode::operator[](size_t index) const {
  return JsonNode(std::shared_ptr<const json>(value_, &(*value_)[index]), source_,
                  absl::StrCat(path_, "[", index, "]"));
}

JsonNode JsonNode::WithSource(std::string source) const {
  return JsonNode(value_, std::make_shared<const Source>(Source{std::move(source), source_->code}),
                  "");
}

size_t JsonNode::size() const { return value_->is_structured() ? value_->size() : 0; }

absl::StatusOr<std::string> JsonNode::String() const {
  if (!is_string()) return Expected("a string");
  return *string();
}

absl::StatusOr<int64_t> JsonNode::Int(Range<int64_t> range) const {
  const bool fits = value_->is_number_integer() && (!value_->is_number_unsigned() ||
                                                    value_->get<uint64_t>() <= uint64_t{INT64_MAX});
  if (!fits || value_->get<int64_t>() < range.min || value_->get<int64_t>() > range.max) {
    return Expected(absl::StrCat("an integer in [", range.min, ", ", range.max, "]"));
  }
  return value_->get<int64_t>();
}

absl::StatusOr<double> JsonNode::Number(Range<double> range) const {
  if (!value_->is_number() || value_->get<double>() < range.min ||
      value_->get<double>() > range.max) {
    return Expected(absl::StrCat("a number in [", range.min, ", ", range.max, "]"));
  }
  return value_->get<double>();
}

absl::StatusOr<JsonNode> JsonNode::Object() const {
  if (!is_object()) return Expected("an object");
  return *this;
}

absl::StatusOr<bool> JsonNode::BoolOr(bool fallback) const {
  if (is_null()) return fallback;
  if (!value_->is_boolean()) return Expected("true or false");
  return value_->get<bool>();
}

absl::StatusOr<std::string> JsonNode::StringOr(const std::string& fallback) const {
  if (is_null()) return fallback;
  return String();
}

absl::StatusOr<int64_t> JsonNode::IntOr(int64_t fallback, Range<int64_t> range) const {
  if (is_null()) return fallback;
  return Int(range);
}

absl::StatusOr<double> JsonNode::NumberOr(double fallback, Range<double> range) const {
  if (is_null()) return fallback;
  return Number(range);
}

absl::Status JsonNode::Expected(std::string_view expected) const {
  return Problem(source_->code, expected);
}

absl::Status JsonNode::Unsupported(std::string_view supported) const {
  return Problem(absl::StatusCode::kUnimplemented, supported);
}

absl::Status JsonNode::Problem(absl::StatusCode code, std::string_view expected) const {
  return absl::Status(
      code, absl::StrCat(source_->name, ": ", path_, path_.empty() ? "" : ": ", "expected ",
                         ToAbsl(expected), ", found ", Brief(*value_)));
}

}  // namespace windowkv
