#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "engine/base/status.h"
#include "engine/weights/safetensors.h"
#include "engine/weights/safetensors_header.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/fuzz/model_directory.h"

namespace windowkv {
namespace {

constexpr char kPath[] = "model.safetensors";
constexpr int64_t kMaxFileData = 1 << 16;

std::map<std::string, int> BitsOfDtypes() {
  return {{"BOOL", 8}, {"U8", 8},      {"I8", 8},      {"I16", 16},    {"U16", 16},
          {"F16", 16}, {"BF16", 16},   {"I32", 32},    {"U32", 32},    {"F32", 32},
          {"F64", 64}, {"I64", 64},    {"U64", 64},    {"C64", 64},    {"F8_E5M2", 8},
          {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E4M3", 8}, {"F8_E8M0", 8}};
}

// Tensors in the order of their bytes cover the data once, each as long as its shape says.
absl::Status CheckEntries(const std::vector<SafetensorsEntry>& entries, int64_t data_bytes) {
  static const std::map<std::string, int> kBits = BitsOfDtypes();
  int64_t covered = 0;
  for (const SafetensorsEntry& entry : entries) {
    const auto bits = kBits.find(entry.dtype);
    if (bits == kBits.end()) return Broken("a dtype is one of the format's");
    if (entry.begin != covered || entry.end < entry.begin) return Broken("tensors leave no gap");
    covered = entry.end;
    // The bytes fit in 63 bits, so no more than 70 are needed before a factor of 0.
    bool empty = false;
    for (const int64_t size : entry.shape) {
      if (size < 0) return Broken("sizes are not negative");
      empty |= size == 0;
    }
    __int128 total = empty ? 0 : bits->second;
    for (const int64_t size : entry.shape) {
      if (total > 0) total *= size;
      if (total > __int128{8} * INT64_MAX) return Broken("a tensor has less than 2^63 bytes");
    }
    if (total != __int128{8} * (entry.end - entry.begin)) {
      return Broken("a tensor's bytes are those of its shape");
    }
  }
  if (covered != data_bytes) return Broken("the tensors cover the data");
  return absl::OkStatus();
}

std::string HeaderOf(const std::vector<SafetensorsEntry>& entries) {
  nlohmann::json header = nlohmann::json::object();
  for (const SafetensorsEntry& entry : entries) {
    header[entry.name] = {
        {"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
  }
  return header.dump();
}

// A written header is read as what was written. Empty tensors at one place have no order.
absl::Status CheckRoundTrip(const std::vector<SafetensorsEntry>& entries, int64_t data_bytes) {
  const auto again = ParseSafetensorsHeader(HeaderOf(entries), data_bytes, kPath);
  if (!again.ok()) return Broken("a header that was read can be written");
  if (HeaderOf(*again) != HeaderOf(entries)) return Broken("a written header is read the same");
  return absl::OkStatus();
}

// The file with this header opens, and each of its weights can be read to its last byte.
absl::Status CheckFile(std::string_view header, const std::vector<SafetensorsEntry>& entries,
                       int64_t data_bytes) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  bytes.append(header).append(static_cast<size_t>(data_bytes), 'w');
  const ModelDirectory dir;
  dir.Write(kPath, bytes);
  const auto file = SafetensorsFile::Open(dir.path() + "/" + kPath);
  if (!file.ok()) return Broken("a file with a good header opens");
  if ((*file)->tensors().size() + (*file)->other_dtypes().size() != entries.size()) {
    return Broken("a file has the tensors of its header");
  }
  for (const auto& [name, view] : (*file)->tensors()) {
    for (int64_t i = 0; i < view.bytes; ++i) {
      if (view.data[i] != std::byte{'w'}) return Broken("a weight lies inside the data");
    }
  }
  return absl::OkStatus();
}

}  // namespace

// A line with the length of the data, then the header.
absl::Status FuzzSafetensors(std::string_view input) {
  const size_t line = input.find('\n');
  int64_t data_bytes = 0;
  if (!absl::SimpleAtoi(ToAbsl(input.substr(0, line)), &data_bytes) || data_bytes < 0) {
    return absl::OkStatus();
  }
  const std::string_view header = line == std::string_view::npos ? "" : input.substr(line + 1);
  const auto entries = ParseSafetensorsHeader(header, data_bytes, kPath);
  if (!entries.ok()) {
    return CheckRefusal(entries.status(), {absl::StatusCode::kDataLoss}, kPath);
  }
  WINDOWKV_RETURN_IF_ERROR(CheckEntries(*entries, data_bytes));
  WINDOWKV_RETURN_IF_ERROR(CheckRoundTrip(*entries, data_bytes));
  if (data_bytes > kMaxFileData) return absl::OkStatus();
  return CheckFile(header, *entries, data_bytes);
}

}  // namespace windowkv
