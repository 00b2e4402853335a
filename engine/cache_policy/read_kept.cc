#include "engine/cache_policy/read_kept.h"

#include "engine/kernels/cuda_device.h"

namespace windowkv {
namespace {

KeptTokens ToKeptTokens(const KeptPositions& kept) {
  const int64_t capacity = kept.positions.size(1);
  const int32_t count = *kept.count.const_data_ptr<int32_t>();
  KeptTokens tokens;
  for (int64_t row = 0; row < kept.positions.size(0); ++row) {
    const int32_t* positions = kept.positions.const_data_ptr<int32_t>() + row * capacity;
    tokens.heads.push_back(RangesOf(positions, count));
  }
  return tokens;
}

}  // namespace

std::vector<KeptTokens> ReadKept(const std::vector<KeptPositions>& selections) {
  std::vector<KeptPositions> here;
  bool is_on_cuda = false;
  for (const KeptPositions& kept : selections) {
    is_on_cuda = is_on_cuda || kept.positions.is_cuda();
    here.push_back({kept.positions.to(at::kCPU, /*non_blocking=*/true),
                    kept.count.to(at::kCPU, /*non_blocking=*/true)});
  }
  if (is_on_cuda) SynchronizeCuda();
  std::vector<KeptTokens> tokens;
  for (const KeptPositions& kept : here) tokens.push_back(ToKeptTokens(kept));
  return tokens;
}

}  // namespace windowkv
