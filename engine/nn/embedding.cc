#include "engine/nn/embedding.h"

#include <cstring>

#include "engine/base/status.h"

namespace windowkv {

absl::StatusOr<Embedding> Embedding::Load(const Checkpoint& checkpoint, const std::string& name,
                                          int64_t vocab_size, int64_t hidden_size,
                                          at::ScalarType dtype) {
  WINDOWKV_ASSIGN_OR_RETURN(at::Tensor weight,
                            checkpoint.Load(name + ".weight", {vocab_size, hidden_size}, dtype));
  return Embedding(std::move(weight));
}

void Embedding::Lookup(const int32_t* ids, int64_t count, at::Tensor& out) const {
  const size_t row_bytes = weight_.size(1) * weight_.element_size();
  const char* table = static_cast<const char*>(weight_.const_data_ptr());
  char* rows = static_cast<char*>(out.mutable_data_ptr());
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(rows + i * row_bytes, table + ids[i] * row_bytes, row_bytes);
  }
}

}  // namespace windowkv
