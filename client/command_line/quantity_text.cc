#include "client/command_line/quantity_text.h"

#include "absl/strings/str_format.h"

namespace windowkv::client {

std::string CountText(int64_t count) {
  if (count < 1000) return absl::StrFormat("%d", count);
  return absl::StrFormat("%s,%03d", CountText(count / 1000), count % 1000);
}

std::string BytesText(int64_t bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return absl::StrFormat("%d B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string DurationText(absl::Duration duration) {
  const double ms = absl::ToDoubleMilliseconds(duration);
  if (ms >= 1000) return absl::StrFormat("%.2f s", ms / 1000);
  if (ms >= 10) return absl::StrFormat("%.0f ms", ms);
  return absl::StrFormat("%.2f ms", ms);
}

}  // namespace windowkv::client
