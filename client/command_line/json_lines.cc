#include "client/command_line/json_lines.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace windowkv::client {
namespace {

absl::StatusOr<std::string> TextOf(const std::string& line) {
  auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError("the line is not a JSON object in UTF-8");
  }
  const auto text = json.find("text");
  if (text == json.end()) {
    return absl::InvalidArgumentError("text is not set, must be a string");
  }
  if (!text->is_string()) {
    return absl::InvalidArgumentError(
        absl::StrCat("text is of type ", text->type_name(), ", must be a string"));
  }
  return std::move(text->get_ref<std::string&>());
}

}  // namespace

std::optional<absl::StatusOr<std::string>> JsonLines::Next() {
  if (in_.peek() == std::istream::traits_type::eof()) return std::nullopt;
  std::string line;
  for (char byte = 0; in_.get(byte) && byte != '\n';) {
    if (line.size() == kMaxLineBytes) {
      in_.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
      return absl::InvalidArgumentError(
          absl::StrCat("the line is longer than ", kMaxLineBytes, " bytes"));
    }
    line.push_back(byte);
  }
  return TextOf(line);
}

}  // namespace windowkv::client
