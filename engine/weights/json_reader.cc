#include "engine/weights/json_reader.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxBriefBytes = 80;

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
    const std::string_view what = error.what();
    const size_t name_end = what.find("] ");
    problem_ = what.substr(name_end == std::string_view::npos ? 0 : name_end + 2);
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

  std::vector<std::set<std::string>> levels_;  // the keys of every open object
  std::string problem_;
};

absl::Status FieldProblem(absl::StatusCode code, const std::string& source,
                          const std::string& place, std::string_view expected,
                          const std::string& found) {
  return absl::Status(code, absl::StrCat(source, ": ", place, place.empty() ? "" : ": ",
                                         "expected ", ToAbsl(expected), ", found ", found));
}

std::string Join(const std::string& path, const std::string& key) {
  return path.empty() ? key : absl::StrCat(path, ".", key);
}

}  // namespace

absl::StatusOr<json> ParseJson(std::string_view text, const std::string& source,
                               absl::StatusCode code) {
  StrictnessCheck check;
  if (!json::sax_parse(text, &check)) {
    return absl::Status(code, absl::StrCat(source, ": ", check.problem()));
  }
  return json::parse(text, nullptr, /*allow_exceptions=*/false);
}

absl::StatusOr<json> ReadJsonFile(const std::string& path, absl::StatusCode code) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be opened"));
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    return absl::Status(code, absl::StrCat(path, ": expected a regular file"));
  }
  std::ostringstream text;
  text << file.rdbuf();
  return ParseJson(text.view(), path, code);
}

std::string BriefJson(const json& value) {
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  if (text.size() <= kMaxBriefBytes) return text;
  return text.substr(0, kMaxBriefBytes) + "...";
}

absl::StatusOr<JsonFields> JsonFields::Of(const json& value, const std::string& source,
                                          absl::StatusCode code, const std::string& path) {
  if (!value.is_object()) {
    return FieldProblem(code, source, path, "an object", BriefJson(value));
  }
  return JsonFields(&value, source, code, path);
}

const json* JsonFields::Find(const std::string& key) const {
  const auto it = object_->find(key);
  return it == object_->end() || it->is_null() ? nullptr : &*it;
}

absl::StatusOr<int64_t> JsonFields::Int(const std::string& key, Range<int64_t> range) const {
  const json* value = Find(key);
  const bool fits = value != nullptr && value->is_number_integer() &&
                    (!value->is_number_unsigned() || value->get<uint64_t>() <= INT64_MAX);
  if (!fits || value->get<int64_t>() < range.min || value->get<int64_t>() > range.max) {
    return Unexpected(key, absl::StrCat("an integer in [", range.min, ", ", range.max, "]"));
  }
  return value->get<int64_t>();
}

absl::StatusOr<double> JsonFields::Number(const std::string& key, Range<double> range) const {
  const json* value = Find(key);
  if (value == nullptr || !value->is_number() || value->get<double>() < range.min ||
      value->get<double>() > range.max) {
    return Unexpected(key, absl::StrCat("a number in [", range.min, ", ", range.max, "]"));
  }
  return value->get<double>();
}

absl::StatusOr<std::string> JsonFields::String(const std::string& key) const {
  const json* value = Find(key);
  if (value == nullptr || !value->is_string()) return Unexpected(key, "a string");
  return value->get<std::string>();
}

absl::StatusOr<JsonFields> JsonFields::Object(const std::string& key) const {
  const json* value = Find(key);
  if (value == nullptr) return Unexpected(key, "an object");
  return Of(*value, source_, code_, Join(path_, key));
}

absl::StatusOr<int64_t> JsonFields::IntOr(const std::string& key, int64_t fallback,
                                          Range<int64_t> range) const {
  if (Find(key) == nullptr) return fallback;
  return Int(key, range);
}

absl::StatusOr<double> JsonFields::NumberOr(const std::string& key, double fallback,
                                            Range<double> range) const {
  if (Find(key) == nullptr) return fallback;
  return Number(key, range);
}

absl::StatusOr<std::string> JsonFields::StringOr(const std::string& key,
                                                 const std::string& fallback) const {
  if (Find(key) == nullptr) return fallback;
  return String(key);
}

absl::StatusOr<bool> JsonFields::BoolOr(const std::string& key, bool fallback) const {
  const json* value = Find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return Unexpected(key, "true or false");
  return value->get<bool>();
}

absl::Status JsonFields::Unexpected(const std::string& key, std::string_view expected) const {
  return Unexpected(key, expected, code_);
}

absl::Status JsonFields::Unexpected(const std::string& key, std::string_view expected,
                                    absl::StatusCode code) const {
  const auto it = object_->find(key);
  return FieldProblem(code, source_, Join(path_, key), expected,
                      it == object_->end() ? "nothing" : BriefJson(*it));
}

}  // namespace windowkv
