#include "engine/kernels/dense_attention_cuda.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace windowkv {
namespace {

// The heads that share a KV head, [first, first + count).
struct Group {
  Group(const at::Tensor& q, const at::Tensor& k, int64_t kv_head)
      : kv_head(kv_head), count(q.size(1) / k.size(1)), first(kv_head * count) {}

  // Their part of a tensor along `dim`.
  at::Tensor Of(const at::Tensor& x, int64_t dim) const {
    return x.slice(dim, first, first + count);
  }

  int64_t kv_head;
  int64_t count;
  int64_t first;
};

// scale * q . k, [group, rows, tokens] float32; -inf where a row does not see a key.
at::Tensor CausalLogits(const at::Tensor& q, const at::Tensor& k, float scale, const Group& group) {
  const int64_t rows = q.size(0);
  const int64_t tokens = k.size(0);
  const at::Tensor queries = group.Of(q, 1).transpose(0, 1).to(at::kFloat);
  const at::Tensor keys = k.select(1, group.kv_head).to(at::kFloat);
  const auto indices = at::TensorOptions().dtype(at::kLong).device(q.device());
  const at::Tensor last_seen = at::arange(tokens - rows, tokens, indices).unsqueeze(1);
  const at::Tensor is_unseen = at::arange(tokens, indices).unsqueeze(0).gt(last_seen);
  return at::matmul(queries, keys.t())
      .mul_(scale)
      .masked_fill_(is_unseen, -std::numeric_limits<double>::infinity());
}

}  // namespace

void DensePrefillAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           float scale, at::Tensor& out, at::Tensor* logsumexp) {
  for (int64_t kv_head = 0; kv_head < k.size(1); ++kv_head) {
    const Group group(q, k, kv_head);
    const at::Tensor logits = CausalLogits(q, k, scale, group);
    if (logsumexp != nullptr) group.Of(*logsumexp, 0).copy_(at::logsumexp(logits, -1));
    const at::Tensor values = v.select(1, kv_head).to(at::kFloat);  // [tokens, head_dim]
    group.Of(out, 1).copy_(at::matmul(logits.softmax(-1), values).transpose(0, 1));
  }
}

void DenseRowLogSumExp(const at::Tensor& q, const at::Tensor& k, float scale,
                       at::Tensor& logsumexp) {
  for (int64_t kv_head = 0; kv_head < k.size(1); ++kv_head) {
    const Group group(q, k, kv_head);
    group.Of(logsumexp, 0).copy_(at::logsumexp(CausalLogits(q, k, scale, group), -1));
  }
}

void DenseKeyMass(const at::Tensor& q, const at::Tensor& k, const at::Tensor& logsumexp,
                  float scale, at::Tensor& mass) {
  for (int64_t kv_head = 0; kv_head < k.size(1); ++kv_head) {
    const Group group(q, k, kv_head);
    const at::Tensor weights =
        (CausalLogits(q, k, scale, group) - group.Of(logsumexp, 0).unsqueeze(2)).exp_();
    const int64_t columns = std::min(mass.size(1), k.size(0));
    group.Of(mass, 0).slice(1, 0, columns).add_(weights.sum(1).slice(1, 0, columns));
  }
}

}  // namespace windowkv
