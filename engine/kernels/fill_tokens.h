#ifndef WINDOWKV_ENGINE_KERNELS_FILL_TOKENS_H_
#define WINDOWKV_ENGINE_KERNELS_FILL_TOKENS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace windowkv {

// The row of a token that is known already.
constexpr int32_t kKnownToken = -1;

// tokens[i] = ids[rows[i]], or as it is where rows[i] is kKnownToken: takes over the tokens of
// SampleRows where they lie. A row without a token (kNoToken) becomes 0: its sequence ends when
// that is found out, and until then must not look up what no embedding has, which would fail the
// others' step too.
//   ids: [any] int32; rows, tokens: [batch] int32; contiguous, on one device.
void FillTokens(const at::Tensor& ids, const at::Tensor& rows, at::Tensor& tokens);

// The same on one kind of device.
void FillTokensCpu(const at::Tensor& ids, const at::Tensor& rows, at::Tensor& tokens);
void FillTokensCuda(const at::Tensor& ids, const at::Tensor& rows, at::Tensor& tokens);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_FILL_TOKENS_H_
