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
    int64_t vocab_size = 0;
    int64_t max_blocks = 0;  // of a sequence in one layer
    int64_t max_rows = 1;    // of a step; with more, memory is taken then
    bool capture = true;     // false: every step starts its kernels one by one
  };
  // What a step computes: logits, [inputs.batch(), vocab_size] float32 on the device.
  using Step = std::function<void(const DecodeInputs& inputs, at::Tensor& logits)>;

  virtual ~DecodeGraphs() = default;

  // The batch that a step of `rows` rows is filled up to: few sizes, as each costs memory and time
  // to capture. A step's time hardly grows within a size.
  static int64_t BatchFor(int64_t rows) {
    constexpr int64_t kMaxDoubled = 16;
    constexpr int64_t kStep = 16;
    int64_t batch = 1;
    while (batch < rows && batch < kMaxDoubled) batch *= 2;
    return batch >= rows ? batch : (rows + kStep - 1) / kStep * kStep;
  }
  // What the inputs and logits of steps take on the device. All sizes share them: one step runs at
  // a time.
  static int64_t Bytes(const Config& config) {
    const int64_t batch = BatchFor(config.max_rows);
    return DecodeInputs::Size(batch, config.num_layers, config.max_blocks) *
               static_cast<int64_t>(sizeof(int32_t)) +
           batch * config.vocab_size * static_cast<int64_t>(sizeof(float));
  }

  // Runs `step` on what FillDecodeInputs has written for BatchFor(rows) rows and on the tokens
  // among `unread`, undefined when there are none. Returns once the step is on its way; the logits
  // are valid until the next call. Where there is no memory to capture a size, its steps go on
  // starting their kernels one by one.
  virtual at::Tensor Run(const at::Tensor& filled, const at::Tensor& unread, int64_t batch,
                         const Step& step) = 0;
};

// Throws in a build without CUDA.
std::unique_ptr<DecodeGraphs> MakeDecodeGraphs(const DecodeGraphs::Config& config,
                                               at::Device device);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_DECODE_GRAPHS_H_
