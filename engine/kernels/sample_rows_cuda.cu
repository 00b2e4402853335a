#include <ATen/ops/empty.h>

#include "engine/kernels/cuda_cut.cuh"
#include "engine/kernels/cuda_staging.h"
#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/logit_weight.h"
#include "engine/kernels/sample_rows.h"

namespace windowkv {
namespace {

constexpr int kThreads = kCutThreads;
constexpr int kWarps = kThreads / kWarp;
constexpr unsigned kAllLanes = 0xffffffffU;

struct Args {
  float* logits;
  const RowSampling* rows;
  const LogitEdit* edits;
  int32_t* ids;
  int vocab_size;
};

// The lowest id of the highest logit for every thread; kNoToken as the processor's twin.
__device__ int ArgMax(const float* logits, int vocab_size) {
  __shared__ float values[kWarps];
  __shared__ int ids[kWarps];
  float best = -INFINITY;
  int id = vocab_size;
  bool is_nan = false;
#pragma unroll 8
  for (int i = threadIdx.x; i < vocab_size; i += kThreads) {
    const float x = logits[i];
    is_nan |= isnan(x);
    if (x > best) {
      best = x;
      id = i;
    }
  }
  const auto merge = [&](float other, int other_id) {
    if (other > best || (other == best && other_id < id)) {
      best = other;
      id = other_id;
    }
  };
  const auto merge_warp = [&] {
    for (int step = kWarp / 2; step > 0; step /= 2) {
      merge(__shfl_xor_sync(kAllLanes, best, step), __shfl_xor_sync(kAllLanes, id, step));
    }
  };
  merge_warp();
  if (threadIdx.x % kWarp == 0) {
    values[threadIdx.x / kWarp] = best;
    ids[threadIdx.x / kWarp] = id;
  }
  if (__syncthreads_or(is_nan)) return kNoToken;
  best = values[threadIdx.x % kWarp];
  id = ids[threadIdx.x % kWarp];
  merge_warp();
  return isfinite(best) ? id : kNoToken;
}

// The token at `uniform` among those left, by id. Each warp adds up a part of the row; the one that
// holds the token goes through its part again.
__device__ int Pick(const float* logits, int vocab_size, const RowSampling& row, float highest,
                    const Cut& cut) {
  __shared__ uint64_t above[kWarps];
  __shared__ uint64_t equal[kWarps];
  __shared__ int picked;
  const int warp = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const uint64_t least = LeastWeight(row.min_p);
  const auto weight_of = [&](float logit) {
    return CandidateWeight(logit, highest, row.temperature, least);
  };
  const int part = (vocab_size + kThreads - 1) / kThreads * kWarp;
  const int begin = min(warp * part, vocab_size);
  const int end = min(begin + part, vocab_size);
  uint64_t sum = 0;
  uint64_t count = 0;
  for (int i = begin + lane; i < end; i += kWarp) {
    const float logit = logits[i];
    const uint32_t key = KeyOf(logit);
    if (key > cut.key) sum += weight_of(logit);
    count += key == cut.key ? 1 : 0;
  }
  sum = WarpSumOf(sum);
  count = WarpSumOf(count);
  if (lane == 0) {
    above[warp] = sum;
    equal[warp] = count;
  }
  __syncthreads();
  const uint64_t tie_weight = cut.ties == 0 ? 0 : weight_of(ValueOf(cut.key));
  const auto ties_of = [&](uint64_t before, int of) {
    return min(before < cut.ties ? cut.ties - before : 0, equal[of]);
  };
  uint64_t total = 0;
  uint64_t ties = 0;
  for (int i = 0; i < kWarps; ++i) {
    total += above[i] + ties_of(ties, i) * tie_weight;
    ties += equal[i];
  }
  uint64_t left = DrawnWeight(row.uniform, total);
  int at = 0;
  ties = 0;
  for (; at < kWarps - 1; ++at) {
    const uint64_t weight = above[at] + ties_of(ties, at) * tie_weight;
    if (left < weight) break;
    left -= weight;
    ties += equal[at];
  }
  if (threadIdx.x == 0) picked = kNoToken;
  __syncthreads();
  if (warp == at) {
    for (int base = begin; base < end; base += kWarp) {
      const int i = base + lane;
      const float logit = i < end ? logits[i] : -INFINITY;
      const uint32_t key = KeyOf(logit);
      const bool is_tie = i < end && key == cut.key;
      const unsigned tied = __ballot_sync(kAllLanes, is_tie);
      const uint64_t rank = ties + __popc(tied & ((1U << lane) - 1));
      uint64_t weight = 0;
      if (i < end && key > cut.key) weight = weight_of(logit);
      if (is_tie && rank < cut.ties) weight = tie_weight;
      uint64_t upto = weight;
#pragma unroll
      for (int step = 1; step < kWarp; step *= 2) {
        const uint64_t other = __shfl_up_sync(kAllLanes, upto, step);
        if (lane >= step) upto += other;
      }
      const unsigned beyond = __ballot_sync(kAllLanes, upto > left);
      if (beyond != 0) {
        if (lane == 0) picked = base + __ffs(beyond) - 1;
        break;
      }
      left -= __shfl_sync(kAllLanes, upto, kWarp - 1);
      ties += __popc(tied);
    }
  }
  __syncthreads();
  return picked;
}

__device__ int Draw(const float* logits, int vocab_size, const RowSampling& row, float highest) {
  // min_p leaves the highest ones, so it makes no difference to the k highest before it or after.
  const uint64_t least = LeastWeight(row.min_p);
  Cut cut;
  if (row.top_k > 0) {
    cut = FindCut<unsigned>(
        logits, vocab_size, {}, [](int, float, uint32_t) { return 1U; },
        [&](uint64_t) { return static_cast<uint64_t>(row.top_k); });
  }
  if (row.top_p < 1) {
    const auto weight_of = [&](float logit) {
      return CandidateWeight(logit, highest, row.temperature, least);
    };
    Ties ties;
    if (cut.ties > 0) ties = {cut.key, cut.ties * weight_of(ValueOf(cut.key))};
    const Cut nucleus = FindCut<unsigned long long>(
        logits, vocab_size, ties,
        [&](int, float logit, uint32_t key) { return key > cut.key ? weight_of(logit) : 0; },
        [&](uint64_t total) { return NucleusWeight(row.top_p, total); });
    const uint64_t each = weight_of(ValueOf(nucleus.key));
    cut = {nucleus.key, (nucleus.ties + each - 1) / each};
  }
  return Pick(logits, vocab_size, row, highest, cut);
}

// A block for each row.
__global__ void __launch_bounds__(kThreads, 1) Kernel(Args a) {
  const RowSampling row = a.rows[blockIdx.x];
  float* logits = a.logits + int64_t{row.row} * a.vocab_size;
  for (int i = row.edits_begin + static_cast<int>(threadIdx.x); i < row.edits_end; i += kThreads) {
    const LogitEdit edit = a.edits[i];
    logits[edit.id] = Edited(logits[edit.id], edit);
  }
  __syncthreads();
  int id = ArgMax(logits, a.vocab_size);
  if (id != kNoToken && row.temperature != 0) id = Draw(logits, a.vocab_size, row, logits[id]);
  if (threadIdx.x == 0) a.ids[blockIdx.x] = id;
}

}  // namespace

at::Tensor SampleRowsCuda(const std::vector<RowSampling>& rows, const std::vector<LogitEdit>& edits,
                          at::Tensor& logits) {
  const auto count = static_cast<int64_t>(rows.size());
  const at::Tensor staged_rows = StagedCopy(rows, logits.device());
  const at::Tensor staged_edits = StagedCopy(edits, logits.device());
  at::Tensor ids = at::empty({count}, logits.options().dtype(at::kInt));
  const Args args{logits.mutable_data_ptr<float>(), StagedData<RowSampling>(staged_rows),
                  StagedData<LogitEdit>(staged_edits), ids.mutable_data_ptr<int32_t>(),
                  static_cast<int>(logits.size(1))};
  Kernel<<<static_cast<unsigned>(count), kThreads, 0, CurrentStream()>>>(args);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return ids;
}

}  // namespace windowkv
