#include "engine/model/decode_graphs.h"

#include <ATen/cuda/CUDAGraph.h>
#include <ATen/ops/empty.h>

#include <map>

namespace windowkv {
namespace {

class CapturedDecodeGraphs final : public DecodeGraphs {
 public:
  CapturedDecodeGraphs(const Config& config, at::Device device)
      : config_(config),
        options_(at::TensorOptions(device).dtype(at::kInt)),
        pool_(at::cuda::graph_pool_handle()) {}

  // Few sizes: each costs memory and time to capture. A step's time hardly grows within a size.
  int64_t BatchFor(int64_t rows) const override {
    int64_t batch = 1;
    while (batch < rows && batch < kMaxDoubled) batch *= 2;
    return batch >= rows ? batch : (rows + kStep - 1) / kStep * kStep;
  }

  at::Tensor Run(const at::Tensor& filled, const at::Tensor& unread, int64_t batch,
                 const Step& step) override {
    Graph& graph = graphs_[batch];
    if (!graph.inputs.defined()) {
      graph.inputs =
          at::empty({DecodeInputs::Size(batch, config_.num_layers, config_.max_blocks)}, options_);
    }
    graph.inputs.slice(0, 0, filled.size(0)).copy_(filled, /*non_blocking=*/true);
    const DecodeInputs inputs(graph.inputs, batch, config_.num_layers);
    if (unread.defined()) inputs.FillUnread(unread);
    if (graph.captured) {
      graph.captured->replay();
      return graph.logits;
    }
    // A size's first step warms up what a capture can not: handles, workspaces.
    at::Tensor logits = step(inputs);
    if (!config_.capture) return logits;
    auto captured = std::make_unique<at::cuda::CUDAGraph>();
    captured->capture_begin(pool_, cudaStreamCaptureModeThreadLocal);
    graph.logits = step(inputs);
    captured->capture_end();
    graph.captured = std::move(captured);
    return logits;
  }

 private:
  static constexpr int64_t kMaxDoubled = 16;
  static constexpr int64_t kStep = 16;

  struct Graph {
    at::Tensor inputs;
    at::Tensor logits;
    std::unique_ptr<at::cuda::CUDAGraph> captured;
  };

  const Config config_;
  const at::TensorOptions options_;
  const at::cuda::MempoolId_t pool_;  // the graphs' activations: one step runs at a time
  std::map<int64_t, Graph> graphs_;
};

}  // namespace

std::unique_ptr<DecodeGraphs> MakeDecodeGraphs(const DecodeGraphs::Config& config,
                                               at::Device device) {
  return std::make_unique<CapturedDecodeGraphs>(config, device);
}

}  // namespace windowkv
