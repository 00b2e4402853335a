#ifndef WINDOWKV_SERVER_GENERATION_WIRE_ENUMS_H_
#define WINDOWKV_SERVER_GENERATION_WIRE_ENUMS_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/base/task.h"
#include "engine/cache_policy/cache_config.h"
#include "engine/request/token_stream.h"
#include "windowkv/v1/generation.pb.h"
#include "windowkv/v1/types.pb.h"

// Which protobuf enum value is which engine value, once for both directions.

namespace windowkv {

template <typename Wire, typename Value>
struct WireEnum {
  Wire wire;
  Value value;
};
template <typename Wire, typename Value>
WireEnum(Wire, Value) -> WireEnum<Wire, Value>;

inline constexpr std::array kTasks = {
    WireEnum{v1::TASK_LOCALIZATION, Task::kLocalization},
    WireEnum{v1::TASK_AGGREGATION, Task::kAggregation},
};
inline constexpr std::array kCachePolicies = {
    WireEnum{v1::CACHE_POLICY_FULL, CachePolicy::kFull},
    WireEnum{v1::CACHE_POLICY_WINDOWKV, CachePolicy::kWindowKv},
    WireEnum{v1::CACHE_POLICY_STREAMING_LLM, CachePolicy::kStreamingLlm},
    WireEnum{v1::CACHE_POLICY_SNAPKV, CachePolicy::kSnapKv},
    WireEnum{v1::CACHE_POLICY_PYRAMIDKV, CachePolicy::kPyramidKv},
    WireEnum{v1::CACHE_POLICY_H2O, CachePolicy::kH2o},
};
// AUTO is the unset value: the task decides.
inline constexpr std::array kStrategies = {
    WireEnum{v1::STRATEGY_AUTO, std::optional<Strategy>()},
    WireEnum{v1::STRATEGY_MEAN, std::optional(Strategy::kMean)},
    WireEnum{v1::STRATEGY_TOP_HALF_MEAN, std::optional(Strategy::kTopHalfMean)},
};
inline constexpr std::array kTaskMappings = {
    WireEnum{v1::TASK_MAPPING_PAPER, TaskMapping::kPaper},
    WireEnum{v1::TASK_MAPPING_REFERENCE, TaskMapping::kReference},
};
inline constexpr std::array kAccountings = {
    WireEnum{v1::BUDGET_ACCOUNTING_TOTAL, BudgetAccounting::kTotal},
    WireEnum{v1::BUDGET_ACCOUNTING_REVIEW_ONLY, BudgetAccounting::kReviewOnly},
};
inline constexpr std::array kFinishReasons = {
    WireEnum{v1::FINISH_REASON_STOP, FinishReason::kStop},
    WireEnum{v1::FINISH_REASON_LENGTH, FinishReason::kLength},
};

// The protobuf value of `value`, which the table has.
template <typename Table, typename Value>
auto ToWireEnum(const Table& table, const Value& value) {
  for (const auto& entry : table) {
    if (entry.value == value) return entry.wire;
  }
  return decltype(table[0].wire){};
}

// Sets `out` unless `wire` is 0, unspecified. INVALID_ARGUMENT naming `field`: proto3 lets any
// number through, and this one is not in the table.
template <typename Table, typename Wire, typename Out>
absl::Status FromWireEnum(std::string_view field, const Table& table, Wire wire, Out* out) {
  if (static_cast<int>(wire) == 0) return absl::OkStatus();
  std::string known;
  for (const auto& entry : table) {
    if (entry.wire == wire) {
      *out = entry.value;
      return absl::OkStatus();
    }
    absl::StrAppend(&known, known.empty() ? "" : ", ", static_cast<int>(entry.wire));
  }
  return InvalidField(field,
                      absl::StrCat("is ", static_cast<int>(wire), ", must be one of ", known));
}

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_GENERATION_WIRE_ENUMS_H_
