#ifndef WINDOWKV_ENGINE_RUNTIME_ENGINE_H_
#define WINDOWKV_ENGINE_RUNTIME_ENGINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/base/engine_metrics.h"
#include "engine/cache_policy/cache_config.h"
#include "engine/request/generation_request.h"
#include "engine/request/token_stream.h"
#include "engine/sampling/sampling_params.h"

namespace windowkv {

enum class ComputeDtype {
  kAuto,  // bfloat16 where the device multiplies it natively and the weights are not float32
  kFloat32,
  kBfloat16,
};

struct EngineConfig {
  std::string model_dir;
  std::string device = "auto";  // "cpu", "cuda", "cuda:N"; "auto": the first CUDA device, if any
  ComputeDtype dtype = ComputeDtype::kAuto;
  // 0: 1 GiB on the CPU; on a CUDA device what weights and activations leave free.
  int64_t kv_pool_bytes = 0;
  int32_t block_size = 16;    // tokens per KV block
  int32_t max_running = 64;   // sequences admitted at once
  int32_t max_waiting = 256;  // requests queued; one more is RESOURCE_EXHAUSTED
  int64_t max_waiting_bytes = int64_t{256} << 20;  // of queued prompts, likewise
  // A request that would have to wait longer is RESOURCE_EXHAUSTED; zero: none is for that.
  absl::Duration max_queue_wait;
  int32_t max_reading = 16;  // prompts read at once
  // Tokens of them together; one prompt alone may have more. 0: the context, 65536 at least.
  int64_t max_reading_tokens = 0;
  absl::Duration target_itl;  // of running requests while prompts are read; 0: two decode steps
  absl::Duration ageing = absl::Seconds(10);  // waiting that a level of priority is worth
  int32_t max_preemptions = 0;  // of one request, for requests of higher priority; 0: off
  int32_t num_threads = 0;      // for the model's operations; 0: one per core
  int32_t tokenizer_threads = 1;
  // Rows of one layer in a prefill slice; 0: 512 on the CPU, 2048 on a CUDA device, whose products
  // want many rows.
  int32_t prefill_chunk = 0;
  bool cuda_graphs = true;  // decode steps as one launch each
  CacheDefaults cache_defaults;
  CacheLimits cache_limits;
};

// Facts about the loaded model, constant after Engine::Create.
struct ModelInfo {
  std::string name;
  std::string architecture;
  int32_t num_layers = 0;
  int32_t num_heads = 0;
  int32_t num_kv_heads = 0;
  int32_t head_dim = 0;
  int32_t vocab_size = 0;
  int32_t context_length = 0;
  std::string dtype;
  std::string device;  // "cpu", or the CUDA device's name
  int32_t block_size = 0;
  int64_t block_bytes = 0;
  int64_t kv_pool_bytes = 0;
  std::string chat_template;  // "llama3", "chatml" or empty
  CacheRules cache_rules;
  SamplingParams sampling_defaults;
};

struct EngineLoad {
  int64_t free_blocks = 0;
  int64_t total_blocks = 0;
  int32_t running = 0;
  int32_t waiting = 0;
  bool accepting = false;
};

// What a server needs of an engine: the seam between the RPC layer and the model, and where a fake
// goes in tests. All methods are thread-safe and none waits for the engine thread, except Drain.
class Engine {
 public:
  virtual ~Engine() = default;

  // Takes the request; its events come on the stream. Errors: INVALID_ARGUMENT (an option, naming
  // the field), RESOURCE_EXHAUSTED (queue full, with a retry delay by the queue's pace),
  // UNAVAILABLE (draining), FAILED_PRECONDITION (chat input without a known template). What depends
  // on the prompt's tokens (OUT_OF_RANGE, a budget too small) comes as the stream's first event.
  virtual absl::StatusOr<std::shared_ptr<TokenStream>> Submit(GenerationRequest request) = 0;

  // The tokens Submit would read for this prompt.
  virtual absl::StatusOr<std::vector<int32_t>> Tokenize(
      const std::variant<PromptText, PromptChat>& prompt) const = 0;
  // The text of one token alone, special tokens included.
  virtual std::string TokenText(int32_t token_id) const = 0;

  virtual const ModelInfo& model_info() const = 0;
  virtual EngineLoad load() const = 0;

  // Time since the engine thread last finished a slice or found nothing to do.
  virtual absl::Duration heartbeat_age() const = 0;
  // OK, or what the device failed with for good: every request ends with it, and only another
  // process can go on.
  virtual absl::Status device_status() const = 0;
  // What the engine thread works on, or last did: to name who is stuck.
  virtual std::vector<std::string> step_request_ids() const = 0;

  // Refuses new requests from now on, waits until the accepted ones ended or `timeout` passed, then
  // ends the rest with UNAVAILABLE.
  virtual void Drain(absl::Duration timeout) = 0;
};

// Loads the checkpoint and starts the engine thread; the destructor ends running requests with
// UNAVAILABLE and joins it. `metrics` outlives the engine. Errors name the file, the tensor or key,
// what was expected and what was found.
absl::StatusOr<std::unique_ptr<Engine>> CreateEngine(const EngineConfig& config,
                                                     EngineMetrics* metrics);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_ENGINE_H_
