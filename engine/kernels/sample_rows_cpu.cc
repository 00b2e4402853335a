#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/kernels/logit_weight.h"
#include "engine/kernels/sample_rows.h"

namespace windowkv {
namespace {

struct Candidate {
  int32_t id = 0;
  float logit = 0;
  uint64_t weight = 0;
};

bool MoreLikely(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// The most likely `count` candidates in order.
void KeepTop(std::vector<Candidate>& candidates, size_t count) {
  count = std::min(count, candidates.size());
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(count),
                    candidates.end(), MoreLikely);
  candidates.resize(count);
}

uint64_t TotalWeight(const std::vector<Candidate>& candidates) {
  uint64_t total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  return total;
}

// The smallest set of most likely candidates whose share reaches top_p. Sorts as few as it can: the
// set is nearly always a small part of the vocabulary.
void KeepNucleus(std::vector<Candidate>& candidates, float top_p) {
  const uint64_t wanted = NucleusWeight(top_p, TotalWeight(candidates));
  for (size_t sorted = std::min<size_t>(64, candidates.size());;
       sorted = std::min(sorted * 8, candidates.size())) {
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(sorted),
                      candidates.end(), MoreLikely);
    uint64_t sum = 0;
    for (size_t i = 0; i < sorted; ++i) {
      sum += candidates[i].weight;
      if (sum >= wanted) return candidates.resize(i + 1);
    }
    if (sorted == candidates.size()) return;
  }
}

typedef float Lanes __attribute__((vector_size(16)));
typedef int32_t IntLanes __attribute__((vector_size(16)));
constexpr int32_t kLanes = 4;
constexpr int32_t kChains = 4;  // so that no comparison waits for the one before it

// The lowest id of the highest logit; kNoToken when a logit is not a number or none is finite. In
// vectors that every processor has: this reads the whole vocabulary for every token of every
// sequence.
int32_t ArgMax(const float* logits, int32_t count) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  Lanes highest[kChains];
  std::fill_n(highest, kChains, Lanes{kLowest, kLowest, kLowest, kLowest});
  IntLanes first[kChains] = {};  // of the run of logits in which a lane's highest stands
  IntLanes not_numbers = {};
  int32_t i = 0;
  for (; i + kLanes * kChains <= count; i += kLanes * kChains) {
    for (int32_t chain = 0; chain < kChains; ++chain) {
      Lanes x;
      std::memcpy(&x, logits + i + chain * kLanes, sizeof(x));
      not_numbers |= x != x;
      const IntLanes higher = x > highest[chain];
      highest[chain] = higher ? x : highest[chain];
      first[chain] = higher ? IntLanes{i, i, i, i} : first[chain];
    }
  }
  float best = kLowest;
  int32_t id = count;
  bool are_numbers = true;
  const auto consider = [&](float logit, int32_t at) {
    if (logit > best || (logit == best && at < id)) {
      best = logit;
      id = at;
    }
  };
  for (int32_t lane = 0; lane < kLanes; ++lane) {
    are_numbers = are_numbers && not_numbers[lane] == 0;
    for (int32_t chain = 0; chain < kChains; ++chain) {
      consider(highest[chain][lane], first[chain][lane] + chain * kLanes + lane);
    }
  }
  for (; i < count; ++i) {
    are_numbers = are_numbers && !std::isnan(logits[i]);
    consider(logits[i], i);
  }
  return are_numbers && std::isfinite(best) ? id : kNoToken;
}

int32_t Draw(const float* logits, int32_t vocab_size, float highest, const RowSampling& row) {
  const WeightOf weight_of(row, highest);
  std::vector<Candidate> candidates;
  for (int32_t i = 0; i < vocab_size; ++i) {
    const uint64_t weight = weight_of(logits[i]);
    if (weight > 0) candidates.push_back({i, logits[i], weight});
  }
  if (row.top_k > 0) KeepTop(candidates, static_cast<size_t>(row.top_k));
  if (row.top_p < 1) KeepNucleus(candidates, row.top_p);
  std::ranges::sort(candidates, {}, &Candidate::id);
  uint64_t left = DrawnWeight(row.uniform, TotalWeight(candidates));
  for (const Candidate& candidate : candidates) {
    if (left < candidate.weight) return candidate.id;
    left -= candidate.weight;
  }
  return kNoToken;  // not reached: what is drawn lies below the total
}

}  // namespace

at::Tensor SampleRowsCpu(const std::vector<RowSampling>& rows, const std::vector<LogitEdit>& edits,
                         at::Tensor& logits) {
  const auto vocab_size = static_cast<int32_t>(logits.size(1));
  auto* data = logits.mutable_data_ptr<float>();
  at::Tensor ids = at::empty({static_cast<int64_t>(rows.size())}, at::kInt);
  auto* id = ids.mutable_data_ptr<int32_t>();
  for (const RowSampling& row : rows) {
    float* of_row = data + int64_t{row.row} * vocab_size;
    for (int32_t i = row.edits_begin; i < row.edits_end; ++i) {
      float& logit = of_row[edits[i].id];
      logit = Edited(logit, edits[i]);
    }
    const int32_t best = ArgMax(of_row, vocab_size);
    const bool draws = best != kNoToken && row.temperature != 0;
    *id++ = draws ? Draw(of_row, vocab_size, of_row[best], row) : best;
  }
  return ids;
}

}  // namespace windowkv
