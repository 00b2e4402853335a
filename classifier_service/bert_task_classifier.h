#ifndef WINDOWKV_CLASSIFIER_SERVICE_BERT_TASK_CLASSIFIER_H_
#define WINDOWKV_CLASSIFIER_SERVICE_BERT_TASK_CLASSIFIER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "classifier_service/task_classifier.h"

namespace windowkv {

// What the encoder computes in. In bfloat16, decisions that come out close are made again in
// float32, for which the weights are held in both.
enum class EncoderDtype {
  kAuto,  // bfloat16 where the processor multiplies it at full speed, else float32
  kFloat32,
  kBfloat16,
};

struct BertTaskClassifierConfig {
  std::string model_dir;
  EncoderDtype dtype = EncoderDtype::kFloat32;
  int threads = 0;  // of the encoder's operations, for the whole process; 0: one per core
};

// Loads a BERT checkpoint with a classification head in Hugging Face layout: config.json,
// vocab.txt, safetensors with "classifier.weight" and "classifier.bias" beside the encoder. Of a
// text with more pieces than the model has positions for it reads the first and the last half.
// Errors name the file and the key or tensor, what was expected and found.
absl::StatusOr<std::unique_ptr<TaskClassifier>> LoadBertTaskClassifier(
    const BertTaskClassifierConfig& config);

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_BERT_TASK_CLASSIFIER_H_
