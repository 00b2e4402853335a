#include "engine/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"

namespace windowkv {
namespace {

struct Candidate {
  int32_t id = 0;
  float logit = 0;
  double weight = 0;  // not normalised
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

double TotalWeight(const std::vector<Candidate>& candidates) {
  double total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  return total;
}

// The smallest set of most likely candidates whose share reaches top_p. Sorts as few as it can: the
// set is nearly always a small part of the vocabulary.
void KeepNucleus(std::vector<Candidate>& candidates, float top_p) {
  const double wanted = TotalWeight(candidates) * top_p;
  for (size_t sorted = std::min<size_t>(64, candidates.size());;
       sorted = std::min(sorted * 8, candidates.size())) {
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(sorted),
                      candidates.end(), MoreLikely);
    double sum = 0;
    for (size_t i = 0; i < sorted; ++i) {
      sum += candidates[i].weight;
      if (sum >= wanted) return candidates.resize(i + 1);
    }
    if (sorted == candidates.size()) return;
  }
}

// Logarithm of the sum of exponentials.
double LogSumExp(const float* logits, int32_t count, float maximum) {
  double sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += std::exp(double{logits[i]} - maximum);
  return maximum + std::log(sum);
}

typedef float Lanes __attribute__((vector_size(16)));
typedef int32_t IntLanes __attribute__((vector_size(16)));
constexpr int32_t kLanes = 4;
constexpr int32_t kChains = 4;  // so that no comparison waits for the one before it

// The lowest id of the highest logit; nothing when a logit is not a number or none is finite. In
// vectors that every processor has: this reads the whole vocabulary for every token of every
// sequence.
std::optional<int32_t> ArgMax(const float* logits, int32_t count) {
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
  if (!are_numbers || !std::isfinite(best)) return std::nullopt;
  return id;
}

void FillLogprobs(const float* logits, int32_t vocab_size, int32_t best, int32_t count,
                  SampledToken& token) {
  const double normaliser = LogSumExp(logits, vocab_size, logits[best]);
  token.logprob = static_cast<float>(logits[token.id] - normaliser);
  if (count == 0) return;
  std::vector<Candidate> candidates(vocab_size);
  for (int32_t i = 0; i < vocab_size; ++i) candidates[i] = {i, logits[i], 0};
  KeepTop(candidates, static_cast<size_t>(count));
  for (const Candidate& candidate : candidates) {
    token.top.emplace_back(candidate.id, static_cast<float>(candidate.logit - normaliser));
  }
}

}  // namespace

Sampler::Sampler(const SamplingParams& params, const std::vector<int32_t>& prompt,
                 std::vector<int32_t> end_ids)
    : params_(params), end_ids_(std::move(end_ids)), random_(params.seed.value_or(0)) {
  if (params_.repetition_penalty == 1) return;
  for (int32_t id : prompt) output_counts_.emplace(id, 0);
}

absl::StatusOr<SampledToken> Sampler::Sample(float* logits, int32_t vocab_size) {
  ApplyPenalties(logits);
  const std::optional<int32_t> best = ArgMax(logits, vocab_size);
  if (!best) return absl::InternalError("the model's logits are not finite numbers");
  SampledToken token;
  token.id = params_.temperature == 0 ? *best : Draw(logits, vocab_size, *best);
  if (params_.logprobs) FillLogprobs(logits, vocab_size, *best, *params_.logprobs, token);
  ++output_counts_[token.id];
  ++generated_;
  return token;
}

void Sampler::ApplyPenalties(float* logits) const {
  for (const auto& [id, bias] : params_.logit_bias) logits[id] += bias;
  const bool repeats = params_.repetition_penalty != 1;
  if (repeats || params_.presence_penalty != 0 || params_.frequency_penalty != 0) {
    for (const auto& [id, count] : output_counts_) {
      float& logit = logits[id];
      if (repeats) {
        logit = logit > 0 ? logit / params_.repetition_penalty : logit * params_.repetition_penalty;
      }
      if (count == 0) continue;
      logit -= params_.presence_penalty + params_.frequency_penalty * static_cast<float>(count);
    }
  }
  if (generated_ >= params_.min_tokens) return;
  for (int32_t id : end_ids_) logits[id] = -std::numeric_limits<float>::infinity();
}

int32_t Sampler::Draw(const float* logits, int32_t vocab_size, int32_t best) {
  // One number per token, whatever the filters, keeps a sequence's draws in step.
  const double uniform = static_cast<double>(random_() >> 11) * 0x1.0p-53;
  const float maximum = logits[best];
  // A weight below min_p of the best one is dropped; without min_p, what underflows is.
  const double least = std::max(double{params_.min_p}, 1e-30);
  std::vector<Candidate> candidates;
  for (int32_t i = 0; i < vocab_size; ++i) {
    const double weight = std::exp((double{logits[i]} - maximum) / params_.temperature);
    if (weight >= least) candidates.push_back({i, logits[i], weight});
  }
  if (params_.top_k > 0) KeepTop(candidates, static_cast<size_t>(params_.top_k));
  if (params_.top_p < 1) KeepNucleus(candidates, params_.top_p);
  double left = uniform * TotalWeight(candidates);
  for (const Candidate& candidate : candidates) {
    left -= candidate.weight;
    if (left < 0) return candidate.id;
  }
  return candidates.back().id;
}

}  // namespace windowkv
