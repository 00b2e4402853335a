#ifndef WINDOWKV_ENGINE_WEIGHTS_SAFETENSORS_HEADER_H_
#define WINDOWKV_ENGINE_WEIGHTS_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace windowkv {

// One tensor as a safetensors header describes it. A value.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;  // one of the format's names, such as "BF16"
  std::vector<int64_t> shape;
  int64_t begin = 0;  // bytes from the start of the data section
  int64_t end = 0;
};

// Reads a safetensors header and checks it against the length of the data section that follows:
// dtypes are known, byte ranges have the length that dtype and shape say, and together they cover
// the section once, without gaps (as the format demands, so a file with anything cut off or
// appended is refused). DATA_LOSS naming `path`, tensor, expected and found.
absl::StatusOr<std::vector<SafetensorsEntry>> ParseSafetensorsHeader(std::string_view header,
                                                                     int64_t data_bytes,
                                                                     const std::string& path);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_WEIGHTS_SAFETENSORS_HEADER_H_
