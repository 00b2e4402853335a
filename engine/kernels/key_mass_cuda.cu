#include <ATen/ops/empty.h>

#include <algorithm>

#include "engine/kernels/cuda_mma.cuh"
#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/dense_attention_cuda.h"
#include "engine/kernels/key_mass.h"

namespace windowkv {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
constexpr int kTileKeys = 64;
constexpr int kTileRows = 16;  // queries of one head in a matrix instruction
constexpr int kColumnTiles = kTileKeys / 8;
constexpr int kDepth = 16;   // elements of a head in a matrix instruction
constexpr int kPadding = 8;  // of a key in shared memory, so that a warp's reads meet no bank twice
constexpr int kMaxHeadDim = 256;
constexpr float kLn2 = 0.693147181f;

using bf16 = __nv_bfloat16;

struct Args {
  const bf16* q;
  const bf16* k;
  float* logsumexp;
  float2* partials;  // [num_heads, rows, tiles]: maximum and sum of powers of two
  float* mass;
  int64_t q_stride;
  int64_t k_stride;
  int rows;
  int tokens;
  int columns;  // of mass
  int group;
  int num_heads;
  int head_dim;
  float scale;  // of powers of two
};

__device__ inline uint32_t LoadPair(const bf16* p) { return *reinterpret_cast<const uint32_t*>(p); }

__device__ void LoadKeys(const Args& a, int first_key, int kv_head, bf16* keys) {
  using P = Pack<bf16>;
  const int packs = a.head_dim / P::kSize;
  const int stride = a.head_dim + kPadding;
  for (int i = threadIdx.x; i < kTileKeys * packs; i += kThreads) {
    const int key = i / packs;
    const int d = i % packs * P::kSize;
    P pack = {};
    if (first_key + key < a.tokens) {
      pack = LoadPack(a.k + (first_key + key) * a.k_stride + kv_head * a.head_dim + d);
    }
    StorePart(keys + key * stride + d, pack);
  }
  __syncthreads();
}

// The logits, as powers of two, of one head's rows [row, row + 16) with the tile's keys; -inf where
// a row does not see a key. A thread's are [column tile][key and its neighbour, eight rows on too].
__device__ void TileLogits(const Args& a, int head, int row, int first_key, const bf16* keys,
                           float (&logits)[kColumnTiles][4]) {
  const int lane = threadIdx.x % kWarp;
  const int upper = row + lane / 4;
  const int lower = upper + 8;
  const int pair = lane % 4 * 2;
  const bf16* upper_q = a.q + min(upper, a.rows - 1) * a.q_stride + head * a.head_dim + pair;
  const bf16* lower_q = a.q + min(lower, a.rows - 1) * a.q_stride + head * a.head_dim + pair;
  const bf16* key = keys + lane / 4 * (a.head_dim + kPadding) + pair;
#pragma unroll
  for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) logits[n][i] = 0;
  }
#pragma unroll 4
  for (int d = 0; d < a.head_dim; d += kDepth) {
    const uint32_t queries[4] = {LoadPair(upper_q + d), LoadPair(lower_q + d),
                                 LoadPair(upper_q + d + 8), LoadPair(lower_q + d + 8)};
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
      const bf16* column = key + n * 8 * (a.head_dim + kPadding) + d;
      MultiplyAdd(logits[n], queries[0], queries[1], queries[2], queries[3], LoadPair(column),
                  LoadPair(column + 8));
    }
  }
  const int seen_before = a.tokens - a.rows;  // row r sees the keys up to seen_before + r
#pragma unroll
  for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int at = first_key + n * 8 + pair + i % 2;
      const int of = i < 2 ? upper : lower;
      logits[n][i] = of < a.rows && at <= seen_before + of ? logits[n][i] * a.scale : -INFINITY;
    }
  }
}

// Maximum and sum of each row over one tile of keys.
__global__ void __launch_bounds__(kThreads) PartialSums(Args a) {
  extern __shared__ bf16 keys[];
  const int first_key = blockIdx.x * kTileKeys;
  const int kv_head = blockIdx.y;
  LoadKeys(a, first_key, kv_head, keys);
  const int row_tiles = (a.rows + kTileRows - 1) / kTileRows;
  const int lane = threadIdx.x % kWarp;
  for (int item = threadIdx.x / kWarp; item < a.group * row_tiles; item += kWarps) {
    const int head = kv_head * a.group + item / row_tiles;
    const int row = item % row_tiles * kTileRows;
    float logits[kColumnTiles][4];
    TileLogits(a, head, row, first_key, keys, logits);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float maximum = -INFINITY;
#pragma unroll
      for (int n = 0; n < kColumnTiles; ++n) {
        maximum = fmaxf(maximum, fmaxf(logits[n][2 * half], logits[n][2 * half + 1]));
      }
      maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffU, maximum, 1));
      maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffU, maximum, 2));
      float sum = 0;
      if (maximum > -INFINITY) {
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) {
          sum += exp2f(logits[n][2 * half] - maximum) + exp2f(logits[n][2 * half + 1] - maximum);
        }
      }
      sum += __shfl_xor_sync(0xffffffffU, sum, 1);
      sum += __shfl_xor_sync(0xffffffffU, sum, 2);
      const int of = row + lane / 4 + 8 * half;
      if (lane % 4 == 0 && of < a.rows) {
        a.partials[(int64_t{head} * a.rows + of) * gridDim.x + blockIdx.x] = {maximum, sum};
      }
    }
  }
}

// A warp for each row of each head.
__global__ void __launch_bounds__(kThreads) MergeSums(Args a, int tiles) {
  const int64_t item = (blockIdx.x * int64_t{kThreads} + threadIdx.x) / kWarp;
  if (item >= int64_t{a.num_heads} * a.rows) return;
  const int lane = threadIdx.x % kWarp;
  const float2* partials = a.partials + item * tiles;
  float maximum = -INFINITY;
  for (int i = lane; i < tiles; i += kWarp) maximum = fmaxf(maximum, partials[i].x);
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffU, maximum, step));
  }
  float sum = 0;
  for (int i = lane; i < tiles; i += kWarp) sum += partials[i].y * exp2f(partials[i].x - maximum);
  sum = WarpSum(sum);
  if (lane == 0) a.logsumexp[item] = (maximum + log2f(sum)) * kLn2;
}

// What the rows give to each key of one tile. A warp adds up rows of one head, in order; the warps
// of a head are added up at the end, in order too.
__global__ void __launch_bounds__(kThreads) TileMass(Args a) {
  extern __shared__ bf16 keys[];
  __shared__ float masses[kWarps][kTileKeys];
  const int first_key = blockIdx.x * kTileKeys;
  const int kv_head = blockIdx.y;
  LoadKeys(a, first_key, kv_head, keys);
  const int row_tiles = (a.rows + kTileRows - 1) / kTileRows;
  const int lane = threadIdx.x % kWarp;
  const int warp = threadIdx.x / kWarp;
  for (int first_head = 0; first_head < a.group; first_head += kWarps) {
    const int heads = min(kWarps, a.group - first_head);
    const int warps_per_head = kWarps / heads;
    const int head = kv_head * a.group + first_head + warp % heads;
    float mass[kColumnTiles][2] = {};
    const int first_tile = warp / heads < warps_per_head ? warp / heads : row_tiles;
    for (int tile = first_tile; tile < row_tiles; tile += warps_per_head) {
      const int row = tile * kTileRows;
      if (first_key > a.tokens - a.rows + row + kTileRows - 1) continue;  // none of them sees a key
      float logits[kColumnTiles][4];
      TileLogits(a, head, row, first_key, keys, logits);
      float normaliser[2];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int of = min(row + lane / 4 + 8 * half, a.rows - 1);
        normaliser[half] = a.logsumexp[int64_t{head} * a.rows + of] / kLn2;
      }
#pragma unroll
      for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) mass[n][i % 2] += exp2f(logits[n][i] - normaliser[i / 2]);
      }
    }
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
#pragma unroll
        for (int step = 4; step < kWarp; step *= 2) {
          mass[n][i] += __shfl_xor_sync(0xffffffffU, mass[n][i], step);
        }
        if (lane < 4) masses[warp][n * 8 + lane * 2 + i] = mass[n][i];
      }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < heads * kTileKeys; i += kThreads) {
      const int key = first_key + i % kTileKeys;
      if (key >= a.columns) continue;
      float sum = 0;
      for (int w = i / kTileKeys; w < warps_per_head * heads; w += heads) {
        sum += masses[w][i % kTileKeys];
      }
      a.mass[int64_t{kv_head * a.group + first_head + i / kTileKeys} * a.columns + key] += sum;
    }
    __syncthreads();
  }
}

bool HasMatrixKernel(const at::Tensor& q, const at::Tensor& k) {
  return q.scalar_type() == at::kBFloat16 && q.size(2) % kDepth == 0 && q.size(2) <= kMaxHeadDim &&
         IsPackAligned(k.const_data_ptr<c10::BFloat16>(), k.stride(0)) && q.stride(0) % 2 == 0;
}

Args MakeArgs(const at::Tensor& q, const at::Tensor& k, float scale) {
  Args args{};
  args.q = DeviceData<c10::BFloat16>(q);
  args.k = DeviceData<c10::BFloat16>(k);
  args.q_stride = q.stride(0);
  args.k_stride = k.stride(0);
  args.rows = static_cast<int>(q.size(0));
  args.tokens = static_cast<int>(k.size(0));
  args.group = static_cast<int>(q.size(1) / k.size(1));
  args.num_heads = static_cast<int>(q.size(1));
  args.head_dim = static_cast<int>(q.size(2));
  args.scale = scale / kLn2;
  return args;
}

int Tiles(int64_t keys) { return static_cast<int>((keys + kTileKeys - 1) / kTileKeys); }

size_t SharedBytes(const Args& args) {
  return kTileKeys * (args.head_dim + kPadding) * sizeof(bf16);
}

// Beyond 48 KB if it must be: head_dim 256 is 33 KB.
static_assert(kTileKeys * (kMaxHeadDim + kPadding) * sizeof(bf16) + kWarps * kTileKeys * 4 <=
              48 << 10);

}  // namespace

void RowLogSumExpCuda(const at::Tensor& q, const at::Tensor& k, float scale,
                      at::Tensor& logsumexp) {
  if (!HasMatrixKernel(q, k)) return DenseRowLogSumExp(q, k, scale, logsumexp);
  Args args = MakeArgs(q, k, scale);
  const int tiles = Tiles(args.tokens);
  at::Tensor partials = at::empty({args.num_heads, args.rows, tiles, 2}, logsumexp.options());
  args.partials = reinterpret_cast<float2*>(partials.mutable_data_ptr<float>());
  args.logsumexp = logsumexp.mutable_data_ptr<float>();
  const auto kv_heads = static_cast<unsigned>(k.size(1));
  const cudaStream_t stream = CurrentStream();
  PartialSums<<<dim3(static_cast<unsigned>(tiles), kv_heads), kThreads, SharedBytes(args),
                stream>>>(args);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  const int items = args.num_heads * args.rows;
  MergeSums<<<static_cast<unsigned>((items + kWarps - 1) / kWarps), kThreads, 0, stream>>>(args,
                                                                                           tiles);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

void KeyMassCuda(const at::Tensor& q, const at::Tensor& k, const at::Tensor& logsumexp, float scale,
                 at::Tensor& mass) {
  if (mass.size(1) == 0) return;
  if (!HasMatrixKernel(q, k)) return DenseKeyMass(q, k, logsumexp, scale, mass);
  Args args = MakeArgs(q, k, scale);
  args.logsumexp = const_cast<float*>(logsumexp.const_data_ptr<float>());  // only read
  args.mass = mass.mutable_data_ptr<float>();
  args.columns = static_cast<int>(mass.size(1));
  const dim3 grid(static_cast<unsigned>(Tiles(std::min(args.columns, args.tokens))),
                  static_cast<unsigned>(k.size(1)));
  TileMass<<<grid, kThreads, SharedBytes(args), CurrentStream()>>>(args);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

}  // namespace windowkv
