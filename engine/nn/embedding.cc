#include "engine/nn/embedding.h"

#include <ATen/ops/index_select.h>

#include <cstring>

#include "engine/base/status.h"

namespace windowkv {

absl::StatusOr<Embedding> Embedding::Load(const Checkpoint& checkpoint, const std::string& name,
                                          int64_t vocab_size, int64_t hidden_size,
                                          const at::TensorOptions& options) {
  WINDOWKV_ASSIGN_OR_RETURN(at::Tensor weight,
                            checkpoint.Load(name + ".weight", {vocab_size, hidden_size}, options));
  return Embedding(std::move(weight));
}

void Embedding::Lookup(const at::Tensor& ids, at::Tensor& out) const {
  if (ids.is_cuda()) {
    at::index_select_out(out, weight_, 0, ids);
    return;
  }
  const size_t row_bytes = weight_.size(1) * weight_.element_size();
  const char* table = static_cast<const char*>(weight_.const_data_ptr());
  char* rows = static_cast<char*>(out.mutable_data_ptr());
  const int32_t* id = ids.const_data_ptr<int32_t>();
  for (int64_t i = 0; i < ids.size(0); ++i) {
    std::memcpy(rows + i * row_bytes, table + id[i] * row_bytes, row_bytes);
  }
}

}  // namespace windowkv
