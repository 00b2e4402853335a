#include "engine/model/decode_graphs.h"

#include <ATen/cuda/CUDAGraph.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <map>

#include "absl/status/status.h"
#include "engine/kernels/catch_exceptions.h"

namespace windowkv {
namespace {

class CapturedDecodeGraphs final : public DecodeGraphs {
 public:
  CapturedDecodeGraphs(const Config& config, at::Device device)
      : config_(config), options_(device), pool_(at::cuda::graph_pool_handle()) {}

  at::Tensor Run(const at::Tensor& filled, const at::Tensor& unread, int64_t batch,
                 const Step& step) override {
    Graph& graph = graphs_[batch];
    if (!graph.inputs.defined()) TakePart(batch, graph);
    graph.inputs.slice(0, 0, filled.size(0)).copy_(filled, /*non_blocking=*/true);
    const DecodeInputs inputs(graph.inputs, batch, config_.num_layers);
    if (unread.defined()) inputs.FillUnread(unread);
    if (graph.state == State::kCaptured) {
      graph.captured->replay();
      return graph.logits;
    }
    // A size's first step warms up what a capture can not: handles, workspaces.
    step(inputs, graph.logits);
    if (config_.capture && graph.state == State::kNew) Capture(inputs, step, graph);
    return graph.logits;
  }

 private:
  enum class State { kNew, kCaptured, kFailed };

  struct Graph {
    at::Tensor inputs;  // a part of inputs_, or of what stood there before
    at::Tensor logits;
    State state = State::kNew;
    std::unique_ptr<at::cuda::CUDAGraph> captured;  // the allocator may know it even if it failed
  };

  void TakePart(int64_t batch, Graph& graph) {
    if (!logits_.defined() || batch > logits_.size(0)) {
      const int64_t rows = std::max(batch, BatchFor(config_.max_rows));
      inputs_ = at::empty({DecodeInputs::Size(rows, config_.num_layers, config_.max_blocks)},
                          options_.dtype(at::kInt));
      logits_ = at::empty({rows, config_.vocab_size}, options_.dtype(at::kFloat));
    }
    graph.inputs =
        inputs_.slice(0, 0, DecodeInputs::Size(batch, config_.num_layers, config_.max_blocks));
    graph.logits = logits_.slice(0, 0, batch);
  }

  void Capture(const DecodeInputs& inputs, const Step& step, Graph& graph) {
    graph.state = State::kFailed;
    graph.captured = std::make_unique<at::cuda::CUDAGraph>();
    const absl::Status begun = CatchExceptions(
        [&] { graph.captured->capture_begin(pool_, cudaStreamCaptureModeThreadLocal); });
    if (!begun.ok()) return;
    const absl::Status captured = CatchExceptions([&] { step(inputs, graph.logits); });
    // Also what failed must end, or it would take in all that follows.
    const absl::Status ended = CatchExceptions([&] { graph.captured->capture_end(); });
    if (captured.ok() && ended.ok()) graph.state = State::kCaptured;
  }

  const Config config_;
  const at::TensorOptions options_;
  const at::cuda::MempoolId_t pool_;  // the graphs' activations: one step runs at a time
  at::Tensor inputs_;
  at::Tensor logits_;
  std::map<int64_t, Graph> graphs_;
};

}  // namespace

std::unique_ptr<DecodeGraphs> MakeDecodeGraphs(const DecodeGraphs::Config& config,
                                               at::Device device) {
  return std::make_unique<CapturedDecodeGraphs>(config, device);
}

}  // namespace windowkv
