// Measures the classifier as it is served, queue and tokenizer included, to compare with
// transformers in the same run. For each line on stdin, the name of an entry of --texts, classifies
// that entry's texts in one call and prints {"seconds", "tasks"} as JSON. compare_classifier.py
// drives it.

#include <atomic>
#include <future>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "classifier_service/bert_task_classifier.h"
#include "classifier_service/classification_queue.h"
#include "engine/base/monotonic_clock.h"
#include "engine/json/json_node.h"

namespace windowkv::bench {
namespace {

struct Options {
  BertTaskClassifierConfig classifier;
  std::string dtype = "float32";
  std::string texts;
};

using Texts = std::map<std::string, std::vector<std::string>>;

absl::StatusOr<std::vector<TaskDecision>> Classify(ClassificationQueue& queue,
                                                   const std::vector<std::string>& texts) {
  const std::atomic<bool> cancelled = false;
  std::promise<absl::StatusOr<std::vector<TaskDecision>>> promise;
  ClassificationJob job;
  job.texts.assign(texts.begin(), texts.end());
  job.cancelled = &cancelled;
  job.done = [&promise](auto decisions) { promise.set_value(std::move(decisions)); };
  if (absl::Status status = queue.Submit(std::move(job)); !status.ok()) return status;
  return promise.get_future().get();
}

int Fail(const absl::Status& status) {
  std::cerr << "classifier_bench: " << status.message() << "\n";
  return 1;
}

int Run(const Options& options) {
  const auto document = JsonNode::ReadFile(options.texts);
  if (!document.ok()) return Fail(document.status());
  const auto texts = document->value().get<Texts>();
  const auto classifier = LoadBertTaskClassifier(options.classifier);
  if (!classifier.ok()) return Fail(classifier.status());
  ClassificationQueue queue(classifier->get(), {});
  for (std::string name; std::getline(std::cin, name);) {
    const absl::Duration began = MonotonicNow();
    const auto decisions = Classify(queue, texts.at(name));
    const double seconds = absl::ToDoubleSeconds(MonotonicNow() - began);
    if (!decisions.ok()) return Fail(decisions.status());
    nlohmann::json tasks = nlohmann::json::array();
    for (const TaskDecision& decision : *decisions) {
      const bool first = decision.task == Task::kLocalization;
      tasks.push_back(first ? "localization" : "aggregation");
    }
    std::cout << nlohmann::json{{"seconds", seconds}, {"tasks", tasks}} << std::endl;
  }
  return 0;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Times the classifier on texts that stdin names.");
  app.add_option("--model", options.classifier.model_dir, "Checkpoint directory")->required();
  app.add_option("--texts", options.texts, "JSON object of lists of texts")->required();
  app.add_option("--dtype", options.dtype, "float32 or bfloat16")
      ->check(CLI::IsMember({"float32", "bfloat16"}));
  app.add_option("--threads", options.classifier.threads, "Threads of the encoder")
      ->check(CLI::Range(1, 1024));
  CLI11_PARSE(app, argc, argv);
  options.classifier.dtype =
      options.dtype == "bfloat16" ? EncoderDtype::kBfloat16 : EncoderDtype::kFloat32;
  return Run(options);
}

}  // namespace
}  // namespace windowkv::bench

int main(int argc, char** argv) { return windowkv::bench::Main(argc, argv); }
