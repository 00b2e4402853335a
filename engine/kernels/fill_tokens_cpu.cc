#include <algorithm>

#include "engine/kernels/fill_tokens.h"

namespace windowkv {

void FillTokensCpu(const at::Tensor& ids, const at::Tensor& rows, at::Tensor& tokens) {
  const auto* id = ids.const_data_ptr<int32_t>();
  const auto* row = rows.const_data_ptr<int32_t>();
  auto* token = tokens.mutable_data_ptr<int32_t>();
  for (int64_t i = 0; i < tokens.size(0); ++i) {
    if (row[i] != kKnownToken) token[i] = std::max(id[row[i]], 0);
  }
}

}  // namespace windowkv
