#ifndef WINDOWKV_ENGINE_BASE_TASK_H_
#define WINDOWKV_ENGINE_BASE_TASK_H_

#include <string>

namespace windowkv {

// What kind of work a prompt asks for.
enum class Task {
  kLocalization,  // looks something up
  kAggregation,   // gathers something over the whole text
};

// How a request's task was decided. A value.
struct TaskVerdict {
  Task task = Task::kLocalization;
  float confidence = 0;         // probability of what was found; 0 when nothing was classified
  std::string fallback_reason;  // why a default was taken instead; empty when none was
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_BASE_TASK_H_
