#ifndef WINDOWKV_ENGINE_WEIGHTS_CHECKPOINT_H_
#define WINDOWKV_ENGINE_WEIGHTS_CHECKPOINT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/weights/safetensors.h"

namespace windowkv {

// The weights of a model directory in Hugging Face layout: model.safetensors, or the shards that
// model.safetensors.index.json names. Constant after Open; thread-safe.
class Checkpoint {
 public:
  // Errors name the file, the tensor, what was expected and what was found.
  static absl::StatusOr<Checkpoint> Open(const std::string& dir);

  bool Has(std::string_view name) const;

  // A copy of the tensor with the options' dtype (float32 or bfloat16) on their device, contiguous,
  // with its shape checked. On a CUDA device it is there for what the calling thread starts next.
  // NOT_FOUND: no such tensor. DATA_LOSS: another shape, or stored as something else than F32, F16
  // or BF16.
  absl::StatusOr<at::Tensor> Load(std::string_view name, const std::vector<int64_t>& shape,
                                  const at::TensorOptions& options) const;

 private:
  explicit Checkpoint(std::string dir) : dir_(std::move(dir)) {}
  absl::Status OpenSingleFile(const std::string& path);
  absl::Status OpenShards(const std::string& index_path);
  absl::Status AddShard(const std::string& index_path, const std::string& shard,
                        const std::vector<std::string>& names);

  struct Entry {
    const SafetensorsFile* file = nullptr;
    const WeightView* view = nullptr;  // null when `file` holds it in another dtype
  };
  std::string dir_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, Entry, std::less<>> tensors_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_WEIGHTS_CHECKPOINT_H_
