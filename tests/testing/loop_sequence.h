#ifndef WINDOWKV_TESTS_TESTING_LOOP_SEQUENCE_H_
#define WINDOWKV_TESTS_TESTING_LOOP_SEQUENCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/monotonic_clock.h"
#include "engine/runtime/engine_loop.h"

namespace windowkv::testing {

// A sequence for `loop`, which outlives its stream, as a tokenising worker would make it. Greedy,
// to max_tokens whatever they are; what else it should be is the caller's to set. Fails where the
// pool could never hold it. Its place in the loop's queue has still to be entered.
inline std::unique_ptr<Sequence> MakeLoopSequence(EngineLoop& loop, std::string id,
                                                  std::vector<int32_t> prompt, int32_t max_tokens,
                                                  const CacheConfig& cache = {}) {
  auto sequence = std::make_unique<Sequence>();
  sequence->request_id = std::move(id);
  sequence->stream = std::make_shared<TokenStream>([&loop] { loop.Wake(); });
  sequence->sampling.max_tokens = max_tokens;
  sequence->sampling.seed = 1;
  sequence->sampling.ignore_eos = true;
  sequence->plan = *loop.Plan(cache, static_cast<int32_t>(prompt.size()), max_tokens);
  sequence->slice_costs = loop.SliceCosts(sequence->plan);
  sequence->prompt = std::move(prompt);
  sequence->arrival = MonotonicNow();
  return sequence;
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_TESTING_LOOP_SEQUENCE_H_
