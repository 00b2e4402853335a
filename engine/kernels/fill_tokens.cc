#include "engine/kernels/fill_tokens.h"

namespace windowkv {

void FillTokens(const at::Tensor& ids, const at::Tensor& rows, at::Tensor& tokens) {
  const auto run = tokens.is_cuda() ? &FillTokensCuda : &FillTokensCpu;
  run(ids, rows, tokens);
}

}  // namespace windowkv
