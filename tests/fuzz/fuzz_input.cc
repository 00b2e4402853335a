#include "tests/fuzz/fuzz_input.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {

uint8_t FuzzInput::Byte() {
  if (rest_.empty()) return 0;
  const auto byte = static_cast<uint8_t>(rest_.front());
  rest_.remove_prefix(1);
  return byte;
}

uint16_t FuzzInput::Number() {
  const uint16_t low = Byte();
  return static_cast<uint16_t>(Byte() << 8 | low);
}

std::string_view FuzzInput::Part() {
  const size_t end = rest_.find('\0');
  const std::string_view part = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  return part;
}

absl::Status Broken(std::string_view promise) { return absl::InternalError(ToAbsl(promise)); }

absl::Status CheckRefusal(const absl::Status& status, std::initializer_list<absl::StatusCode> codes,
                          std::string_view place) {
  if (std::find(codes.begin(), codes.end(), status.code()) == codes.end()) {
    return Broken(absl::StrCat("refused with another code: ", status.ToString()));
  }
  if (!ToStd(status.message()).starts_with(place)) {
    return Broken(absl::StrCat("refused without naming the place: ", status.ToString()));
  }
  return absl::OkStatus();
}

}  // namespace windowkv
