#include "classifier_service/wire_classification.h"

namespace windowkv {
namespace {

v1::Task ToWire(Task task) {
  return task == Task::kLocalization ? v1::TASK_LOCALIZATION : v1::TASK_AGGREGATION;
}

}  // namespace

void ToWire(const TaskDecision& decision, v1::TaskClassification& wire) {
  wire.set_task(ToWire(decision.task));
  wire.set_confidence(decision.confidence);
  for (const TaskDecision::Probability& probability : decision.probabilities) {
    auto* entry = wire.add_probabilities();
    entry->set_task(ToWire(probability.task));
    entry->set_probability(probability.probability);
  }
  wire.set_tokens_read(decision.tokens_read);
  wire.set_truncated(decision.truncated);
  for (const CharacterSpan& span : decision.read) {
    auto* range = wire.add_read();
    range->set_begin(static_cast<int32_t>(span.begin));
    range->set_end(static_cast<int32_t>(span.end));
  }
  wire.set_unfamiliar(decision.unfamiliar);
}

}  // namespace windowkv
