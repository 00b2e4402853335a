#ifndef WINDOWKV_ENGINE_CACHE_POLICY_POLICY_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_POLICY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cache_policy/cache_config.h"
#include "engine/cache_policy/layer_groups.h"
#include "engine/cache_policy/token_ranges.h"

namespace windowkv {

struct LayerAttention;  // layer_attention.h: a layer's keys and queries
struct ObservedScores;  // layer_attention.h: what a policy makes of them
struct WindowTopK;      // kernels/top_windows.h: what is kept, but for the scores
struct KeptPositions;   // kernels/kept_positions.h: what is kept

// Which queries of a layer's attention a policy looks at.
enum class ObservedQueries { kNone, kLast, kAll };

// How a prompt's cache is reduced: plan the budgets, observe a layer's attention, select what
// stays. Stateless; docs/cache_policies.md has each policy's definition and source. One object per
// policy lives as long as the program; thread-safe.
class Policy {
 public:
  virtual ~Policy() = default;

  // As in flags and labels; the protocol's name in lower case: "windowkv".
  virtual std::string_view name() const = 0;
  // Options of CacheOptions that mean something to it.
  virtual CacheOptionSet options() const = 0;
  // For the options it knows, where a request leaves them open.
  virtual int32_t default_observation_tokens(std::optional<Strategy> strategy) const { return 0; }
  virtual int32_t default_beta(int32_t shared_layers) const { return 0; }

  virtual ObservedQueries observed() const { return ObservedQueries::kNone; }

  // Before the prompt is read: which layers share a selection, and each layer's budget. `config`
  // has been checked: its budget holds what is always kept.
  virtual std::vector<LayerGroup> Plan(const CacheConfig& config, int32_t num_layers,
                                       int32_t prompt_tokens) const = 0;

  // Whether a layer with this budget drops anything, so that it must be observed.
  virtual bool MustSelect(const CacheConfig& config, int32_t budget, int32_t prompt_tokens) const;
  // The most tokens that Select can keep, whatever the scores; what admission counts with.
  virtual int32_t MaxKept(const CacheConfig& config, int32_t budget, int32_t prompt_tokens) const;

  // After a layer's attention, when it must select.
  virtual ObservedScores Observe(const CacheConfig& config, const LayerAttention& attention) const;

  // What the layers of a group keep: the whole prompt, and no scores are wanted (NoScores), when
  // MustSelect is false. On CUDA nothing waits for the device.
  KeptPositions Select(const CacheConfig& config, int32_t budget, int32_t prompt_tokens,
                       const ObservedScores& scores) const;

 private:
  // Where something must go.
  virtual WindowTopK Choose(const CacheConfig& config, int32_t budget,
                            int32_t prompt_tokens) const = 0;
};

const Policy& PolicyOf(CachePolicy policy);
// In the order of the enum.
std::vector<const Policy*> AllPolicies();
std::map<std::string, CachePolicy> PoliciesByName();

// One per file.
const Policy& FullPolicy();
const Policy& WindowKvPolicy();
const Policy& StreamingLlmPolicy();
const Policy& SnapKvPolicy();
const Policy& PyramidKvPolicy();
const Policy& H2oPolicy();

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_POLICY_H_
