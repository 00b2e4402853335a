#ifndef WINDOWKV_ENGINE_WEIGHTS_SAFETENSORS_H_
#define WINDOWKV_ENGINE_WEIGHTS_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace windowkv {

enum class WeightDtype { kFloat32, kFloat16, kBfloat16 };

// One tensor in a mapped file. Valid while the SafetensorsFile lives.
struct WeightView {
  const std::byte* data = nullptr;  // row-major, may be unaligned
  WeightDtype dtype = WeightDtype::kFloat32;
  std::vector<int64_t> shape;
  int64_t bytes = 0;
};

// A safetensors file, mapped read-only. Open checks the header completely: its length, every dtype,
// shape and byte range, that ranges lie inside the file, do not overlap and leave no byte out.
// Tensors of other dtypes than WeightDtype are checked and left out. Constant after Open;
// thread-safe.
class SafetensorsFile {
 public:
  // NOT_FOUND, or DATA_LOSS naming file, tensor, expected and found.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Open(const std::string& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::map<std::string, WeightView, std::less<>>& tensors() const { return tensors_; }
  // The tensors left out, and their dtypes as the file names them.
  const std::map<std::string, std::string, std::less<>>& other_dtypes() const {
    return other_dtypes_;
  }
  const std::string& path() const { return path_; }

 private:
  explicit SafetensorsFile(std::string path) : path_(std::move(path)) {}
  absl::Status Map();
  absl::Status ReadHeader();

  std::string path_;
  const std::byte* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::map<std::string, WeightView, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> other_dtypes_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_WEIGHTS_SAFETENSORS_H_
