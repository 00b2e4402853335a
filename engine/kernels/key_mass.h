#ifndef WINDOWKV_ENGINE_KERNELS_KEY_MASS_H_
#define WINDOWKV_ENGINE_KERNELS_KEY_MASS_H_

#include <ATen/core/Tensor.h>

namespace windowkv {

// How much of a prompt's attention falls on each key, in tiles of sixteen queries by a few keys, so
// that the attention matrix never exists. Softmax in float32. For both functions:
//   q: [rows, num_heads, head_dim], the prompt's last `rows` queries, rotated; rows strided
//   k: [tokens, num_kv_heads, head_dim], all keys, rotated, contiguous; same dtype as q
//   row r sees the keys up to its own, tokens - rows + r + 1 of them
// Heads are shared out over the threads.

// logsumexp[head][r] = log of the sum of exp(scale * q[r] . k[j]) over the keys that row r sees.
//   logsumexp: [num_heads, rows] float32, contiguous
void RowLogSumExp(const at::Tensor& q, const at::Tensor& k, float scale, at::Tensor& logsumexp);

// mass[head][j] += the sum over rows of exp(scale * q[r] . k[j] - logsumexp[head][r]), for those of
// the first mass.size(1) keys that a row sees. Rows of a prompt taken in order, in whatever pieces
// of a multiple of sixteen, add up to the same bits on the CPU.
//   mass: [num_heads, columns] float32, contiguous
void KeyMass(const at::Tensor& q, const at::Tensor& k, const at::Tensor& logsumexp, float scale,
             at::Tensor& mass);

// The same on one kind of device.
void RowLogSumExpCpu(const at::Tensor& q, const at::Tensor& k, float scale, at::Tensor& logsumexp);
void RowLogSumExpCuda(const at::Tensor& q, const at::Tensor& k, float scale, at::Tensor& logsumexp);
void KeyMassCpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& logsumexp, float scale,
                at::Tensor& mass);
void KeyMassCuda(const at::Tensor& q, const at::Tensor& k, const at::Tensor& logsumexp, float scale,
                 at::Tensor& mass);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_KEY_MASS_H_
