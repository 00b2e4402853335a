#include <ATen/ops/empty.h>

#include <algorithm>
#include <cub/block/block_scan.cuh>

#include "engine/kernels/cuda_cut.cuh"
#include "engine/kernels/cuda_staging.h"
#include "engine/kernels/top_windows.h"

namespace windowkv {
namespace {

constexpr int kThreads = kCutThreads;
constexpr int kWordBits = 32;
// Sinks, observation window and some pinned spans. More are staged: a copy costs several times what
// it takes to read them from the arguments.
constexpr int kGivenRanges = 32;

struct Args {
  const float* scores;
  TokenRange given[kGivenRanges];
  const TokenRange* staged;  // null: those given
  int ranges;
  uint32_t* bits;  // [rows, 2, words], a bit for each token: always kept; kept
  int32_t* positions;
  int32_t* count;
  int windows;
  int window_size;
  int scored_tokens;
  bool costs_tokens;
  int64_t budget;
  int words;
  int capacity;
};

// The bits of tokens [begin, end) in a word.
__device__ uint32_t BitsOf(int begin, int end, int word) {
  const int first = max(begin - word * kWordBits, 0);
  const int last = min(end - word * kWordBits, kWordBits);
  return first >= last ? 0 : (0xffffffffU >> (kWordBits - last)) & (0xffffffffU << first);
}

// Calls visit(word, bits) for the words in which a window's tokens lie.
template <typename Visit>
__device__ void ForWords(const Args& a, int window, const Visit& visit) {
  const int begin = window * a.window_size;
  const int end = min(a.scored_tokens, begin + a.window_size);
  for (int word = begin / kWordBits; word * kWordBits < end; ++word) {
    visit(word, BitsOf(begin, end, word));
  }
}

__device__ int CostOf(const Args& a, const uint32_t* always, int window) {
  if (!a.costs_tokens) return 1;
  int cost = 0;
  ForWords(a, window, [&](int word, uint32_t bits) { cost += __popc(bits & ~always[word]); });
  return cost;
}

// The tokens of a word that are always kept.
__device__ uint32_t AlwaysKept(const Args& a, int word) {
  const TokenRange* ranges = a.staged == nullptr ? a.given : a.staged;
  uint32_t bits = 0;
  for (int i = 0; i < a.ranges; ++i) bits |= BitsOf(ranges[i].begin, ranges[i].end, word);
  return bits;
}

// The part of `count` neighbours that is this thread's.
struct Share {
  int begin;
  int end;
};
__device__ Share ShareOf(int count) {
  const int each = (count + kThreads - 1) / kThreads;
  const int begin = min(static_cast<int>(threadIdx.x) * each, count);
  return {begin, min(begin + each, count)};
}

// A block for each row.
__global__ void __launch_bounds__(kThreads, 1) Kernel(const __grid_constant__ Args a) {
  using Scan = cub::BlockScan<int, kThreads>;
  __shared__ typename Scan::TempStorage scan;
  const int64_t row = blockIdx.x;
  const float* scores = a.scores + row * a.windows;
  uint32_t* always = a.bits + row * 2 * a.words;
  uint32_t* kept = always + a.words;
  for (int i = threadIdx.x; i < a.words; i += kThreads) always[i] = kept[i] = AlwaysKept(a, i);
  __syncthreads();
  // The first window that does not fit is the one with which the costs exceed the budget.
  const Cut cut = FindCut<unsigned>(
      scores, a.windows, {}, [&](int window, float, uint32_t) { return CostOf(a, always, window); },
      [&](uint64_t) { return static_cast<uint64_t>(a.budget) + 1; });

  const Share windows = ShareOf(a.windows);
  int cost_of_ties = 0;
  for (int window = windows.begin; window < windows.end; ++window) {
    if (KeyOf(scores[window]) == cut.key) cost_of_ties += CostOf(a, always, window);
  }
  Scan(scan).ExclusiveSum(cost_of_ties, cost_of_ties);
  for (int window = windows.begin; window < windows.end; ++window) {
    const uint32_t key = KeyOf(scores[window]);
    bool taken = key > cut.key;
    if (key == cut.key) {
      cost_of_ties += CostOf(a, always, window);
      taken = static_cast<uint64_t>(cost_of_ties) < cut.ties;
    }
    if (!taken) continue;
    ForWords(a, window, [&](int word, uint32_t mask) { atomicOr(&kept[word], mask); });
  }
  __syncthreads();

  const Share words = ShareOf(a.words);
  int count = 0;
  for (int word = words.begin; word < words.end; ++word) count += __popc(kept[word]);
  int at = 0;
  int total = 0;
  Scan(scan).ExclusiveSum(count, at, total);
  int32_t* positions = a.positions + row * a.capacity;
  for (int word = words.begin; word < words.end; ++word) {
    for (uint32_t left = kept[word]; left != 0 && at < a.capacity; left &= left - 1) {
      positions[at++] = word * kWordBits + __ffs(static_cast<int>(left)) - 1;
    }
  }
  if (row == 0 && threadIdx.x == 0) *a.count = min(total, a.capacity);
}

}  // namespace

void TopWindowsCuda(const WindowTopK& wanted, const at::Tensor& scores, KeptPositions& kept) {
  const int64_t words = (int64_t{wanted.tokens} + kWordBits - 1) / kWordBits;
  at::Tensor bits = at::empty({scores.size(0), 2, words}, kept.positions.options());
  Args args{};
  args.scores = scores.const_data_ptr<float>();
  at::Tensor staged;
  if (wanted.always.size() <= kGivenRanges) {
    std::ranges::copy(wanted.always, args.given);
  } else {
    staged = StagedCopy(wanted.always, scores.device());
    args.staged = StagedData<TokenRange>(staged);
  }
  args.ranges = static_cast<int>(wanted.always.size());
  args.bits = reinterpret_cast<uint32_t*>(bits.mutable_data_ptr<int32_t>());
  args.positions = kept.positions.mutable_data_ptr<int32_t>();
  args.count = kept.count.mutable_data_ptr<int32_t>();
  args.windows = static_cast<int>(scores.size(1));
  args.window_size = wanted.window_size;
  args.scored_tokens = wanted.scored_tokens;
  args.costs_tokens = wanted.costs_tokens;
  args.budget = wanted.budget;
  args.words = static_cast<int>(words);
  args.capacity = wanted.capacity;
  Kernel<<<static_cast<unsigned>(scores.size(0)), kThreads, 0, CurrentStream()>>>(args);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

}  // namespace windowkv
