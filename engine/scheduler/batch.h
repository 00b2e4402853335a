#ifndef WINDOWKV_ENGINE_SCHEDULER_BATCH_H_
#define WINDOWKV_ENGINE_SCHEDULER_BATCH_H_

#include <cstddef>
#include <vector>

#include "engine/request/sequence.h"

namespace windowkv {

// The prompt's slices [sequence->slices_done, sequence->slices_done + num_slices).
struct PrefillWork {
  Sequence* sequence = nullptr;
  size_t num_slices = 0;
};

// One iteration's work. Pointers are valid until the next call of the scheduler.
struct Batch {
  std::vector<Sequence*> admitted;   // their blocks are reserved since this step
  std::vector<Sequence*> preempted;  // gave their blocks back and wait again
  std::vector<Sequence*> decode;     // one token each
  std::vector<PrefillWork> prefill;  // most urgent first

  bool empty() const {
    return admitted.empty() && preempted.empty() && decode.empty() && prefill.empty();
  }
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_SCHEDULER_BATCH_H_
