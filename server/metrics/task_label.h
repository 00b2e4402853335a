#ifndef WINDOWKV_SERVER_METRICS_TASK_LABEL_H_
#define WINDOWKV_SERVER_METRICS_TASK_LABEL_H_

#include "engine/base/task.h"

namespace windowkv {

// The value of the label "task", and of the field of this name in log lines.
inline const char* TaskLabel(Task task) {
  return task == Task::kLocalization ? "localization" : "aggregation";
}

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_METRICS_TASK_LABEL_H_
