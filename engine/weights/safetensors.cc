#include "engine/weights/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/weights/safetensors_header.h"

namespace windowkv {
namespace {

constexpr size_t kLengthBytes = 8;
// The format's own limit; it keeps a broken length from becoming a huge allocation.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;

std::optional<WeightDtype> WeightDtypeOf(std::string_view name) {
  if (name == "F32") return WeightDtype::kFloat32;
  if (name == "F16") return WeightDtype::kFloat16;
  if (name == "BF16") return WeightDtype::kBfloat16;
  return std::nullopt;
}

uint64_t ReadLittleEndian64(const std::byte* bytes) {
  uint64_t value = 0;
  for (size_t i = kLengthBytes; i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
  return value;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile(path));
  WINDOWKV_RETURN_IF_ERROR(file->Map());
  WINDOWKV_RETURN_IF_ERROR(file->ReadHeader());
  return file;
}

SafetensorsFile::~SafetensorsFile() {
  if (mapping_ != nullptr) munmap(const_cast<std::byte*>(mapping_), mapping_bytes_);
}

absl::Status SafetensorsFile::Map() {
  const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path_, ": cannot be opened"));
  const absl::Cleanup closer = [descriptor] { close(descriptor); };

  struct stat info = {};
  if (fstat(descriptor, &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path_, ": cannot be read"));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::DataLossError(absl::StrCat(path_, ": expected a regular file"));
  }
  const size_t bytes = static_cast<size_t>(info.st_size);
  if (bytes < kLengthBytes) {
    return absl::DataLossError(
        absl::StrCat(path_, ": expected at least ", kLengthBytes, " bytes, found ", bytes));
  }
  void* mapping = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (mapping == MAP_FAILED) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path_, ": cannot be mapped"));
  }
  mapping_ = static_cast<const std::byte*>(mapping);
  mapping_bytes_ = bytes;
  return absl::OkStatus();
}

absl::Status SafetensorsFile::ReadHeader() {
  const uint64_t header_bytes = ReadLittleEndian64(mapping_);
  const uint64_t rest = mapping_bytes_ - kLengthBytes;
  if (header_bytes > kMaxHeaderBytes || header_bytes > rest) {
    return absl::DataLossError(absl::StrCat(path_, ": expected a header of at most ",
                                            std::min(kMaxHeaderBytes, rest), " bytes, found ",
                                            header_bytes));
  }
  const std::string_view header(reinterpret_cast<const char*>(mapping_ + kLengthBytes),
                                header_bytes);
  const std::byte* data = mapping_ + kLengthBytes + header_bytes;
  WINDOWKV_ASSIGN_OR_RETURN(
      std::vector<SafetensorsEntry> entries,
      ParseSafetensorsHeader(header, static_cast<int64_t>(rest - header_bytes), path_));
  for (SafetensorsEntry& entry : entries) {
    const auto dtype = WeightDtypeOf(entry.dtype);
    if (!dtype) {
      other_dtypes_.emplace(std::move(entry.name), std::move(entry.dtype));
      continue;
    }
    WeightView view;
    view.data = data + entry.begin;
    view.dtype = *dtype;
    view.shape = std::move(entry.shape);
    view.bytes = entry.end - entry.begin;
    tensors_.emplace(std::move(entry.name), std::move(view));
  }
  return absl::OkStatus();
}

}  // namespace windowkv
