#ifndef WINDOWKV_CLASSIFIER_SERVICE_WIRE_CLASSIFICATION_H_
#define WINDOWKV_CLASSIFIER_SERVICE_WIRE_CLASSIFICATION_H_

#include "classifier_service/task_classifier.h"
#include "windowkv/v1/classifier.pb.h"

namespace windowkv {

// A decision as protobuf. `wire` is empty.
void ToWire(const TaskDecision& decision, v1::TaskClassification& wire);

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_WIRE_CLASSIFICATION_H_
