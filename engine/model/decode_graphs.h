#ifndef WINDOWKV_ENGINE_MODEL_DECODE_GRAPHS_H_
#define WINDOWKV_ENGINE_MODEL_DECODE_GRAPHS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "engine/model/decode_inputs.h"

namespace windowkv {

// Decode steps on a CUDA device as one graph launch each: a step of hundreds of small kernels costs
// the processor more to start one by one than the device to run. Captured once per batch size out
// of a few; a batch in between is filled up. Engine thread only.
class DecodeGraphs {
 public:
  struct Config {
    int64_t num_layers = 0;
    int64_t max_blocks = 0;  // of a sequence in one layer
    bool capture = true;     // false: every step starts its kernels one by one
  };
  // What a step computes: logits [inputs.batch(), vocab_size] on the device.
  using Step = std::function<at::Tensor(const DecodeInputs& inputs)>;

  virtual ~DecodeGraphs() = default;

  // The batch that a step of `rows` rows is filled up to.
  virtual int64_t BatchFor(int64_t rows) const = 0;

  // Runs `step` on what FillDecodeInputs has written for BatchFor(rows) rows and on the tokens
  // among `unread`, undefined when there are none. Returns once the step is on its way; the logits
  // are valid until the next call.
  virtual at::Tensor Run(const at::Tensor& filled, const at::Tensor& unread, int64_t batch,
                         const Step& step) = 0;
};

// Throws in a build without CUDA.
std::unique_ptr<DecodeGraphs> MakeDecodeGraphs(const DecodeGraphs::Config& config,
                                               at::Device device);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_DECODE_GRAPHS_H_
