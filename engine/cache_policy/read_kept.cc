#include "engine/cache_policy/read_kept.h"

#include <utility>

#include "engine/kernels/host_copy.h"

namespace windowkv {
namespace {

KeptTokens ToKeptTokens(const at::Tensor& positions, const at::Tensor& count) {
  KeptTokens tokens;
  for (int64_t row = 0; row < positions.size(0); ++row) {
    tokens.heads.push_back(RangesOf(positions.const_data_ptr<int32_t>() + row * positions.size(1),
                                    *count.const_data_ptr<int32_t>()));
  }
  return tokens;
}

}  // namespace

std::vector<KeptTokens> ReadKept(const std::vector<KeptPositions>& selections, bool every_head) {
  std::vector<std::pair<HostCopy, HostCopy>> copies;
  copies.reserve(selections.size());
  for (const KeptPositions& kept : selections) {
    copies.emplace_back(every_head ? kept.positions : kept.positions.slice(0, 0, 1), kept.count);
  }
  std::vector<KeptTokens> tokens;
  tokens.reserve(copies.size());
  for (const auto& [positions, count] : copies) {
    tokens.push_back(ToKeptTokens(positions.Wait(), count.Wait()));
  }
  return tokens;
}

}  // namespace windowkv
