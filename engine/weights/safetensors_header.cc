#include "engine/weights/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/status.h"
#include "engine/json/json_node.h"

namespace windowkv {
namespace {

using nlohmann::json;

constexpr char kMetadataKey[] = "__metadata__";

struct NamedDtype {
  std::string_view name;
  int64_t bits;
};
constexpr NamedDtype kDtypes[] = {
    {"BOOL", 8}, {"U8", 8},      {"I8", 8},      {"I16", 16},    {"U16", 16},
    {"F16", 16}, {"BF16", 16},   {"I32", 32},    {"U32", 32},    {"F32", 32},
    {"F64", 64}, {"I64", 64},    {"U64", 64},    {"C64", 64},    {"F8_E5M2", 8},
    {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
};

absl::Status TensorError(const std::string& path, std::string_view tensor, std::string_view what) {
  return absl::DataLossError(
      absl::StrCat(path, ": tensor \"", ToAbsl(tensor), "\": ", ToAbsl(what)));
}

std::optional<int64_t> BitsOf(std::string_view dtype) {
  for (const NamedDtype& known : kDtypes) {
    if (known.name == dtype) return known.bits;
  }
  return std::nullopt;
}

std::optional<int64_t> NonNegative(const json& value) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > INT64_MAX) return std::nullopt;
  return value.get<int64_t>();
}

// The numbers of an array of non-negative integers.
std::optional<std::vector<int64_t>> NonNegatives(const JsonNode& node) {
  if (!node.is_array()) return std::nullopt;
  std::vector<int64_t> numbers;
  for (const json& item : node.value()) {
    const auto number = NonNegative(item);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

// Bytes of a packed tensor; nothing when they do not fit in 63 bits or are not whole.
std::optional<int64_t> PackedBytes(const std::vector<int64_t>& shape, int64_t bits) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  int64_t product = bits;
  for (int64_t size : shape) {
    if (product > std::numeric_limits<int64_t>::max() / size) return std::nullopt;
    product *= size;
  }
  if (product % 8 != 0) return std::nullopt;
  return product / 8;
}

absl::StatusOr<SafetensorsEntry> ParseEntry(const std::string& name, const JsonNode& node,
                                            int64_t data_bytes, const std::string& path) {
  WINDOWKV_ASSIGN_OR_RETURN(
      const JsonNode fields,
      node.WithSource(absl::StrCat(path, ": tensor \"", name, "\"")).Object());
  SafetensorsEntry entry;
  entry.name = name;
  WINDOWKV_ASSIGN_OR_RETURN(entry.dtype, fields["dtype"].String());
  const auto bits = BitsOf(entry.dtype);
  if (!bits) return fields["dtype"].Expected("a safetensors dtype such as F32, F16 or BF16");

  auto shape = NonNegatives(fields["shape"]);
  if (!shape) return fields["shape"].Expected("an array of non-negative integers");
  entry.shape = *std::move(shape);

  const auto offsets = NonNegatives(fields["data_offsets"]);
  if (!offsets || offsets->size() != 2 || (*offsets)[0] > (*offsets)[1] ||
      (*offsets)[1] > data_bytes) {
    return fields["data_offsets"].Expected(absl::StrCat(
        "[begin, end] with begin <= end <= ", data_bytes, ", the file's bytes after the header"));
  }
  entry.begin = (*offsets)[0];
  entry.end = (*offsets)[1];

  const auto bytes = PackedBytes(entry.shape, *bits);
  if (!bytes || *bytes != entry.end - entry.begin) {
    const std::string expected = bytes ? absl::StrCat(*bytes, " bytes") : "a size below 2^63 bytes";
    return TensorError(path, name,
                       absl::StrCat("expected ", expected, " for ", entry.dtype, " of shape [",
                                    absl::StrJoin(entry.shape, ", "), "], found data_offsets of ",
                                    entry.end - entry.begin, " bytes"));
  }
  return entry;
}

absl::Status CheckMetadata(const JsonNode& node) {
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode metadata, node.Object());
  for (const auto& [key, value] : metadata.value().items()) {
    if (!value.is_string()) return metadata[key].Expected("a string");
  }
  return absl::OkStatus();
}

// `entries` sorted by place.
absl::Status CheckCoverage(const std::vector<SafetensorsEntry>& entries, int64_t data_bytes,
                           const std::string& path) {
  int64_t covered = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin != covered) {
      const std::string_view problem = entry.begin < covered ? " (overlap)" : " (gap)";
      return TensorError(
          path, entry.name,
          absl::StrCat("expected data_offsets to begin at ", covered,
                       ", where the tensor before it ends, found ", entry.begin, ToAbsl(problem)));
    }
    covered = entry.end;
  }
  if (covered == data_bytes) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      path, ": expected ", covered, " bytes of tensors after the header, found ", data_bytes));
}

}  // namespace

absl::StatusOr<std::vector<SafetensorsEntry>> ParseSafetensorsHeader(std::string_view header,
                                                                     int64_t data_bytes,
                                                                     const std::string& path) {
  WINDOWKV_ASSIGN_OR_RETURN(
      const JsonNode root,
      JsonNode::Parse(header, absl::StrCat(path, ": header"), absl::StatusCode::kDataLoss));
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode document, root.Object());
  std::vector<SafetensorsEntry> entries;
  for (const auto& [name, value] : document.value().items()) {
    if (name == kMetadataKey) {
      WINDOWKV_RETURN_IF_ERROR(CheckMetadata(document[name]));
      continue;
    }
    WINDOWKV_ASSIGN_OR_RETURN(SafetensorsEntry entry,
                              ParseEntry(name, document[name], data_bytes, path));
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  WINDOWKV_RETURN_IF_ERROR(CheckCoverage(entries, data_bytes, path));
  return entries;
}

}  // namespace windowkv
