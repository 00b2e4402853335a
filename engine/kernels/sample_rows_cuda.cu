#include <ATen/ops/empty.h>
#include <cooperative_groups.h>

#include "engine/kernels/cuda_cut.cuh"
#include "engine/kernels/cuda_launch.cuh"
#include "engine/kernels/cuda_staging.h"
#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/logit_weight.h"
#include "engine/kernels/sample_rows.h"

namespace windowkv {
namespace {

constexpr int kThreads = kCutThreads;
constexpr int kWarps = kThreads / kWarp;
static_assert(kWarps == kWarp);  // a lane for each warp of a block, and for each block of a cluster
constexpr unsigned kAllLanes = 0xffffffffU;

struct Args {
  float* logits;
  const RowSampling* rows;
  const LogitEdit* edits;
  int32_t* ids;
  int vocab_size;
};

struct Highest {
  float logit;
  int id;

  // The lower id of equal ones.
  __device__ void Merge(float other, int other_id) {
    if (other > logit || (other == logit && other_id < id)) {
      logit = other;
      id = other_id;
    }
  }
  __device__ void MergeWarp() {
    for (int step = kWarp / 2; step > 0; step /= 2) {
      Merge(__shfl_xor_sync(kAllLanes, logit, step), __shfl_xor_sync(kAllLanes, id, step));
    }
  }
};

// The lowest id of the highest logit for every thread; kNoToken as the processor's twin.
__device__ int ArgMax(const float* logits, int vocab_size) {
  __shared__ Highest warps[kWarps];
  __shared__ Highest block;
  const auto cluster = cooperative_groups::this_cluster();
  const int lane = threadIdx.x % kWarp;
  Highest highest{-INFINITY, vocab_size};
  bool is_nan = false;
  ForOwnValues(logits, vocab_size, [&](int i, float logit) {
    is_nan |= isnan(logit);
    if (logit > highest.logit) highest = {logit, i};
  });
  highest.MergeWarp();
  if (lane == 0) warps[threadIdx.x / kWarp] = highest;
  is_nan = __syncthreads_or(is_nan);
  highest = warps[lane];
  highest.MergeWarp();
  if (is_nan) highest.logit = INFINITY;  // as good as none, in whichever block
  if (threadIdx.x == 0) block = highest;
  cluster.sync();
  highest = *cluster.map_shared_rank(&block, min(lane, static_cast<int>(cluster.num_blocks()) - 1));
  highest.MergeWarp();
  return isfinite(highest.logit) ? highest.id : kNoToken;
}

// The sum over the lanes before this one.
__device__ uint64_t SumBefore(uint64_t x) {
  uint64_t sum = x;
#pragma unroll
  for (int step = 1; step < kWarp; step *= 2) {
    const uint64_t other = __shfl_up_sync(kAllLanes, sum, step);
    if (static_cast<int>(threadIdx.x) % kWarp >= step) sum += other;
  }
  return sum - x;
}

// Some of a row's tokens, by where they lie to a cut.
struct Tokens {
  uint64_t above;  // their weight
  uint64_t equal;  // their number

  __device__ Tokens WarpSum() const { return {WarpSumOf(above), WarpSumOf(equal)}; }
};

// The way to a drawn token: what is left of the weight before it, and how many tokens at the cut
// have been passed.
class Way {
 public:
  __device__ Way(const Cut& cut, uint64_t tie_weight) : cut_(cut), tie_weight_(tie_weight) {}

  __device__ void Begin(double uniform, const Tokens& all) {
    left_ = DrawnWeight(uniform, all.above + TieWeight(all, 0));
  }

  // Goes on to the one of a warp's lanes in whose tokens, which lie one lane's after another's, the
  // drawn one is.
  __device__ int NextLane(const Tokens& tokens) {
    const uint64_t passed = passed_ + SumBefore(tokens.equal);
    const uint64_t weight = tokens.above + TieWeight(tokens, passed);
    const uint64_t before = SumBefore(weight);
    const int lane = __ffs(static_cast<int>(__ballot_sync(kAllLanes, before + weight > left_))) - 1;
    left_ -= __shfl_sync(kAllLanes, before, lane);
    passed_ = __shfl_sync(kAllLanes, passed, lane);
    return lane;
  }

 private:
  // Of those at the cut the first ones are left.
  __device__ uint64_t TieWeight(const Tokens& tokens, uint64_t passed) const {
    return min(passed < cut_.ties ? cut_.ties - passed : 0, tokens.equal) * tie_weight_;
  }

  Cut cut_;
  uint64_t tie_weight_;
  uint64_t left_ = 0;
  uint64_t passed_ = 0;
};

// The token at `uniform` among those left, by id, for every thread. Each warp of the cluster adds
// up a part of the row; the part that holds the token is gone through in the same way, until a warp
// sees all of it.
__device__ int Pick(const float* logits, int vocab_size, const RowSampling& row,
                    const WeightOf& weight_of, const Cut& cut) {
  __shared__ Tokens warps[kWarps];
  __shared__ Tokens block;
  const auto cluster = cooperative_groups::this_cluster();
  const int blocks = static_cast<int>(cluster.num_blocks());
  const int lane = threadIdx.x % kWarp;
  const auto tokens_of = [&](float logit) {
    const uint32_t key = KeyOf(logit);
    return Tokens{key > cut.key ? weight_of(logit) : 0, key == cut.key ? uint64_t{1} : 0};
  };
  Way way(cut, cut.ties == 0 ? 0 : weight_of(ValueOf(cut.key)));
  int begin = 0;
  int end = vocab_size;
  do {
    const bool is_whole_row = end - begin == vocab_size;
    const int threads = static_cast<int>(cluster.num_threads());
    const int part = (end - begin + threads - 1) / threads * kWarp;
    const int own = begin + static_cast<int>(cluster.thread_rank()) / kWarp * part;
    Tokens sum{};
    ForValues(logits, own + lane, min(own + part, end), kWarp, [&](int, float logit) {
      const Tokens token = tokens_of(logit);
      sum.above += token.above;
      sum.equal += token.equal;
    });
    sum = sum.WarpSum();
    if (lane == 0) warps[threadIdx.x / kWarp] = sum;
    __syncthreads();
    sum = warps[lane].WarpSum();
    if (threadIdx.x == 0) block = sum;
    cluster.sync();
    Tokens of_block{};
    if (lane < blocks) of_block = *cluster.map_shared_rank(&block, lane);
    if (is_whole_row) way.Begin(row.uniform, of_block.WarpSum());
    const int in_block = way.NextLane(of_block);
    const int in_warp = way.NextLane(cluster.map_shared_rank(warps, in_block)[lane]);
    begin += (in_block * kWarps + in_warp) * part;
    end = min(begin + part, end);
    cluster.sync();  // before what others read is written again
  } while (end - begin > kWarp);
  return begin + way.NextLane(begin + lane < end ? tokens_of(logits[begin + lane]) : Tokens{});
}

__device__ int Draw(const float* logits, int vocab_size, const RowSampling& row, float highest) {
  // min_p leaves the highest ones, so it makes no difference to the k highest before it or after.
  const WeightOf weight_of(row, highest);
  Cut cut;
  if (row.top_k > 0) {
    cut = FindCut<unsigned>(
        logits, vocab_size, {}, [](int, float, uint32_t) { return 1U; },
        [&](uint64_t count) { return min(static_cast<uint64_t>(row.top_k), count); });
  }
  if (row.top_p < 1) {
    Ties ties;
    if (cut.ties > 0) ties = {cut.key, cut.ties * weight_of(ValueOf(cut.key))};
    const Cut nucleus = FindCut<unsigned long long>(
        logits, vocab_size, ties,
        [&](int, float logit, uint32_t key) { return key > cut.key ? weight_of(logit) : 0; },
        [&](uint64_t total) { return NucleusWeight(row.top_p, total); });
    const uint64_t each = weight_of(ValueOf(nucleus.key));
    cut = {nucleus.key, (nucleus.ties + each - 1) / each};
  }
  return Pick(logits, vocab_size, row, weight_of, cut);
}

// A cluster for each row.
__global__ void __launch_bounds__(kThreads, 1) Kernel(Args a) {
  WaitForInputs();
  const auto cluster = cooperative_groups::this_cluster();
  const RowSampling row = a.rows[blockIdx.x];
  float* logits = a.logits + int64_t{row.row} * a.vocab_size;
  for (int i = row.edits_begin + static_cast<int>(cluster.thread_rank()); i < row.edits_end;
       i += static_cast<int>(cluster.num_threads())) {
    const LogitEdit edit = a.edits[i];
    logits[edit.id] = Edited(logits[edit.id], edit);
  }
  cluster.sync();
  int id = ArgMax(logits, a.vocab_size);
  if (id != kNoToken && row.temperature != 0) id = Draw(logits, a.vocab_size, row, logits[id]);
  if (cluster.thread_rank() == 0) a.ids[blockIdx.x] = id;
  cluster.sync();  // a block's shared memory stays until none reads it
}

LaunchShape ShapeOf(int64_t rows, unsigned cluster) {
  return {dim3(static_cast<unsigned>(rows), 1, cluster), kThreads, cluster};
}

// As many blocks for a row, a power of two, as run at once.
unsigned ClusterOf(int64_t rows) {
  static const int of_four = ClustersAtOnce(&Kernel, ShapeOf(1, 4));
  static const int of_two = ClustersAtOnce(&Kernel, ShapeOf(1, 2));
  if (rows <= of_four) return 4;
  return rows <= of_two ? 2 : 1;
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
  LaunchEarly(&Kernel, ShapeOf(count, ClusterOf(count)), args);
  return ids;
}

}  // namespace windowkv
