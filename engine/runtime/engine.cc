#include "engine/runtime/engine.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/base/model_name.h"
#include "engine/base/monotonic_clock.h"
#include "engine/base/status.h"
#include "engine/cache_policy/cache_option_checks.h"
#include "engine/kernels/cpu_features.h"
#include "engine/kernels/cuda_device.h"
#include "engine/model/llama_config.h"
#include "engine/runtime/device_choice.h"
#include "engine/runtime/engine_loop.h"
#include "engine/runtime/model_runner.h"
#include "engine/runtime/pinned_spans.h"
#include "engine/runtime/request_queue.h"
#include "engine/runtime/request_tokenizer.h"
#include "engine/runtime/tokenizing_workers.h"

namespace windowkv {
namespace {

// What a request counts for in the queue.
int64_t PromptBytes(const Prompt& prompt) {
  size_t bytes = 0;
  if (const auto* text = std::get_if<PromptText>(&prompt)) bytes = text->size();
  if (const auto* ids = std::get_if<PromptTokens>(&prompt)) bytes = ids->size() * sizeof(int32_t);
  if (const auto* chat = std::get_if<PromptChat>(&prompt)) {
    for (const ChatMessage& message : *chat) bytes += message.content.size();
  }
  return static_cast<int64_t>(bytes);
}

absl::Status CheckPriority(int32_t priority) {
  if (priority >= -kMaxPriority && priority <= kMaxPriority) return absl::OkStatus();
  return InvalidField("priority", absl::StrCat("is ", priority, ", must be in [", -kMaxPriority,
                                               ", ", kMaxPriority, "]"));
}

class LlamaEngine final : public Engine {
 public:
  LlamaEngine(const EngineConfig& config, ModelInfo info, RequestTokenizer tokenizer,
              const EngineLoop::Config& loop_config, std::unique_ptr<BatchRunner> runner,
              EngineMetrics* metrics)
      : info_(std::move(info)),
        tokenizer_(std::move(tokenizer)),
        metrics_(metrics),
        next_seed_(std::random_device{}()),
        queue_({config.max_waiting, config.max_waiting_bytes, config.max_queue_wait}),
        loop_(loop_config, std::move(runner), &tokenizer_, &queue_, metrics),
        workers_(config.tokenizer_threads,
                 [this](PendingRequest pending) { Prepare(std::move(pending)); }) {}

  absl::StatusOr<std::shared_ptr<TokenStream>> Submit(GenerationRequest request) override;

  absl::StatusOr<std::vector<int32_t>> Tokenize(
      const std::variant<PromptText, PromptChat>& prompt) const override {
    GenerationRequest request;
    std::visit([&request](const auto& input) { request.prompt = input; }, prompt);
    WINDOWKV_RETURN_IF_ERROR(tokenizer_.Check(request));
    WINDOWKV_ASSIGN_OR_RETURN(EncodedPrompt encoded, tokenizer_.Encode(request.prompt));
    return std::move(encoded.ids);
  }
  std::string TokenText(int32_t token_id) const override { return tokenizer_.TokenText(token_id); }

  const ModelInfo& model_info() const override { return info_; }
  EngineLoad load() const override {
    return {loop_.available_blocks(), info_.kv_pool_bytes / info_.block_bytes, queue_.running(),
            queue_.waiting(), accepting_.load()};
  }
  absl::Duration heartbeat_age() const override { return loop_.heartbeat_age(); }
  absl::Status device_status() const override { return loop_.device_status(); }
  std::vector<std::string> step_request_ids() const override { return loop_.step_request_ids(); }

  void Drain(absl::Duration timeout) override {
    accepting_.store(false);
    if (queue_.WaitUntilIdle(timeout)) return;
    loop_.Abort();
    queue_.WaitUntilIdle(absl::Seconds(5));
  }

 private:
  absl::Status Check(const GenerationRequest& request) const;
  // On a tokenising worker: from the request to a sequence for the engine thread.
  void Prepare(PendingRequest pending);
  absl::StatusOr<std::unique_ptr<Sequence>> MakeSequence(PendingRequest& pending);

  const ModelInfo info_;
  const RequestTokenizer tokenizer_;
  EngineMetrics* metrics_;
  std::atomic<bool> accepting_{true};
  std::atomic<uint64_t> next_seed_;
  RequestQueue queue_;
  EngineLoop loop_;
  TokenizingWorkers workers_;  // last: its threads add to the loop
};

absl::Status LlamaEngine::Check(const GenerationRequest& request) const {
  WINDOWKV_RETURN_IF_ERROR(tokenizer_.Check(request));
  WINDOWKV_RETURN_IF_ERROR(
      ValidateSamplingParams(request.sampling, {info_.vocab_size, info_.context_length}));
  WINDOWKV_RETURN_IF_ERROR(ValidateCacheOptions(request.cache, info_.cache_rules));
  WINDOWKV_RETURN_IF_ERROR(CheckPriority(request.priority));
  return CheckPinnedSpans(request);
}

absl::StatusOr<std::shared_ptr<TokenStream>> LlamaEngine::Submit(GenerationRequest request) {
  const absl::Duration arrival = MonotonicNow();
  absl::Status status = Check(request);
  if (status.ok() && !accepting_.load()) {
    status = absl::UnavailableError("the server is draining and takes no new requests");
  }
  const int64_t bytes = PromptBytes(request.prompt);
  if (status.ok()) status = queue_.Enter(bytes);
  if (!status.ok()) {
    metrics_->OnRequestFailed(status.code());
    return status;
  }
  auto stream = std::make_shared<TokenStream>([this] { loop_.Wake(); });
  PendingRequest pending{std::move(request), stream, bytes, arrival};
  if (pending.request.deadline != absl::InfiniteFuture()) {
    pending.deadline = arrival + (pending.request.deadline - absl::Now());
  }
  workers_.Add(std::move(pending));
  return stream;
}

void LlamaEngine::Prepare(PendingRequest pending) {
  const std::shared_ptr<TokenStream> stream = pending.stream;
  absl::StatusOr<std::unique_ptr<Sequence>> sequence =
      stream->cancelled() ? absl::CancelledError("the client cancelled the request")
                          : MakeSequence(pending);
  if (sequence.ok()) return loop_.Add(*std::move(sequence));
  metrics_->OnRequestFailed(sequence.status().code());
  queue_.OnEnded(RequestQueue::Stage::kWaiting, pending.bytes);
  loop_.Wake();  // to report that one less waits
  stream->Push(sequence.status());
}

absl::StatusOr<std::unique_ptr<Sequence>> LlamaEngine::MakeSequence(PendingRequest& pending) {
  GenerationRequest& request = pending.request;
  auto sequence = std::make_unique<Sequence>();
  WINDOWKV_ASSIGN_OR_RETURN(EncodedPrompt prompt, tokenizer_.Encode(request.prompt));
  const int32_t tokens = static_cast<int32_t>(prompt.ids.size());
  if (tokens == 0) {  // a tokenizer may leave nothing of a text
    return InvalidField(std::holds_alternative<PromptText>(request.prompt) ? "text" : "chat",
                        "has no tokens, must have at least one");
  }
  if (tokens >= info_.context_length) {
    return absl::OutOfRangeError(absl::StrCat("the prompt has ", tokens,
                                              " tokens, the model's context holds ",
                                              info_.context_length, ", one generated at least"));
  }
  sequence->request_id = std::move(request.request_id);
  sequence->stream = pending.stream;
  sequence->queued_bytes = pending.bytes;
  sequence->priority = request.priority;
  sequence->sampling = std::move(request.sampling);
  sequence->sampling.max_tokens =
      std::min(sequence->sampling.max_tokens, info_.context_length - tokens);
  sequence->sampling.min_tokens =
      std::min(sequence->sampling.min_tokens, sequence->sampling.max_tokens);
  if (!sequence->sampling.seed) sequence->sampling.seed = next_seed_.fetch_add(1);
  sequence->task = request.task.value_or(TaskVerdict{info_.cache_rules.defaults.task, 0, ""});
  WINDOWKV_ASSIGN_OR_RETURN(std::vector<TokenRange> pinned,
                            ResolvePinnedSpans(request, prompt, tokenizer_.tokenizer()));
  WINDOWKV_ASSIGN_OR_RETURN(const CacheConfig cache,
                            ResolveCacheOptions(request.cache, info_.cache_rules,
                                                sequence->task.task, tokens, std::move(pinned)));
  sequence->prompt = std::move(prompt.ids);
  WINDOWKV_ASSIGN_OR_RETURN(sequence->plan,
                            loop_.Plan(cache, tokens, sequence->sampling.max_tokens));
  sequence->plan.records_every_head = request.echo_kept_ranges;
  sequence->slice_costs = loop_.SliceCosts(sequence->plan);
  sequence->echo_kept_ranges = request.echo_kept_ranges;
  sequence->deadline = pending.deadline;
  sequence->arrival = pending.arrival;
  return sequence;
}

at::ScalarType ChooseDtype(ComputeDtype dtype, const LlamaConfig& model, at::Device device) {
  switch (dtype) {
    case ComputeDtype::kFloat32:
      return at::kFloat;
    case ComputeDtype::kBfloat16:
      return at::kBFloat16;
    case ComputeDtype::kAuto:
      break;
  }
  const bool is_fast = device.is_cuda() || HasFastBfloat16();
  return is_fast && model.torch_dtype != "float32" ? at::kBFloat16 : at::kFloat;
}

int64_t MaxReadingTokens(const EngineConfig& config, const LlamaConfig& model) {
  if (config.max_reading_tokens > 0) return config.max_reading_tokens;
  return std::max<int64_t>(model.context_length, 65536);
}

absl::StatusOr<ModelRunner::Config> MakeRunnerConfig(const EngineConfig& config,
                                                     const LlamaConfig& model) {
  ModelRunner::Config runner;
  WINDOWKV_ASSIGN_OR_RETURN(runner.device, ChooseDevice(config.device));
  const bool on_cuda = runner.device.is_cuda();
  runner.model_dir = config.model_dir;
  runner.model = model;
  runner.dtype = ChooseDtype(config.dtype, model, runner.device);
  runner.kv_pool_bytes = config.kv_pool_bytes;
  if (runner.kv_pool_bytes == 0 && !on_cuda) runner.kv_pool_bytes = int64_t{1} << 30;
  runner.block_size = config.block_size;
  runner.prefill_chunk = config.prefill_chunk;
  if (runner.prefill_chunk == 0) runner.prefill_chunk = on_cuda ? 2048 : 512;
  runner.num_threads = config.num_threads > 0
                           ? config.num_threads
                           : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  runner.reading_tokens = std::max<int64_t>(MaxReadingTokens(config, model), model.context_length);
  runner.max_rows = config.max_running;
  runner.capture_decode = config.cuda_graphs;
  return runner;
}

CacheRules MakeRules(const EngineConfig& config, const LlamaConfig& model,
                     const KvCacheManager::Geometry& geometry) {
  return {config.cache_defaults,
          config.cache_limits,
          {model.num_layers, model.context_length, geometry.block_bytes / geometry.block_size,
           geometry.block_size}};
}

ModelInfo MakeInfo(const EngineConfig& config, const ModelRunner::Config& runner,
                   const KvCacheManager::Geometry& geometry, const RequestTokenizer& tokenizer,
                   const SamplingParams& sampling_defaults) {
  const LlamaConfig& model = runner.model;
  ModelInfo info;
  info.name = ModelName(config.model_dir);
  info.architecture = model.architecture;
  info.num_layers = model.num_layers;
  info.num_heads = model.num_heads;
  info.num_kv_heads = model.num_kv_heads;
  info.head_dim = model.head_dim;
  info.vocab_size = model.vocab_size;
  info.context_length = model.context_length;
  info.dtype = runner.dtype == at::kFloat ? "float32" : "bfloat16";
  info.device = runner.device.is_cuda() ? CudaDeviceName(runner.device) : "cpu";
  info.block_size = geometry.block_size;
  info.block_bytes = geometry.block_bytes;
  info.kv_pool_bytes = geometry.num_blocks * geometry.block_bytes;
  info.chat_template = tokenizer.chat_family();
  info.cache_rules = MakeRules(config, model, geometry);
  info.sampling_defaults = sampling_defaults;
  return info;
}

absl::Status CheckConfig(const EngineConfig& config, const LlamaConfig& model) {
  const auto in_range = [](absl::string_view name, int64_t value, int64_t low, int64_t high) {
    if (value >= low && value <= high) return absl::OkStatus();
    return InvalidField(ToStd(name),
                        absl::StrCat("is ", value, ", must be in [", low, ", ", high, "]"));
  };
  WINDOWKV_RETURN_IF_ERROR(in_range("block_size", config.block_size, 1, 1024));
  WINDOWKV_RETURN_IF_ERROR(in_range("max_running", config.max_running, 1, 4096));
  WINDOWKV_RETURN_IF_ERROR(in_range("max_waiting", config.max_waiting, 1, 1 << 20));
  WINDOWKV_RETURN_IF_ERROR(in_range("max_reading", config.max_reading, 1, 4096));
  WINDOWKV_RETURN_IF_ERROR(
      in_range("max_reading_tokens", config.max_reading_tokens, 0, int64_t{1} << 32));
  WINDOWKV_RETURN_IF_ERROR(in_range("max_preemptions", config.max_preemptions, 0, 1000));
  WINDOWKV_RETURN_IF_ERROR(in_range("num_threads", config.num_threads, 0, 1024));
  WINDOWKV_RETURN_IF_ERROR(in_range("tokenizer_threads", config.tokenizer_threads, 1, 64));
  WINDOWKV_RETURN_IF_ERROR(in_range("prefill_chunk", config.prefill_chunk, 0, 1 << 20));
  CacheOptions defaults;
  defaults.policy = CachePolicy::kWindowKv;
  defaults.budget =
      BudgetTokens{std::min(config.cache_defaults.budget_tokens, model.context_length)};
  defaults.window_size = config.cache_defaults.window_size;
  if (config.cache_defaults.shared_layers != 0) {
    defaults.shared_layers = config.cache_defaults.shared_layers;
  }
  if (config.cache_defaults.beta != 0) defaults.beta = config.cache_defaults.beta;
  defaults.sink_tokens = config.cache_defaults.sink_tokens;
  const CacheRules rules{config.cache_defaults,
                         config.cache_limits,
                         {model.num_layers, model.context_length, 1, config.block_size}};
  // As for a prompt that fills the context, which keeps no more than the budget.
  std::vector<CacheOptions> checked = {defaults};
  // FULL keeps as much as a prompt has, which may be too much of a long one only.
  if (config.cache_defaults.policy != CachePolicy::kFull) checked.emplace_back();
  for (const Task task : {Task::kLocalization, Task::kAggregation}) {
    for (const CacheOptions& options : checked) {
      WINDOWKV_RETURN_IF_ERROR(
          Annotate(ResolveCacheOptions(options, rules, task, model.context_length, {}).status(),
                   "the server's default"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> CreateEngine(const EngineConfig& config,
                                                     EngineMetrics* metrics) {
  WINDOWKV_ASSIGN_OR_RETURN(const LlamaConfig model, LoadLlamaConfig(config.model_dir));
  WINDOWKV_RETURN_IF_ERROR(CheckConfig(config, model));
  WINDOWKV_ASSIGN_OR_RETURN(
      const SamplingParams sampling,
      LoadSamplingDefaults(config.model_dir, {model.vocab_size, model.context_length}));
  WINDOWKV_ASSIGN_OR_RETURN(RequestTokenizer tokenizer,
                            RequestTokenizer::Create(config.model_dir, model.vocab_size));
  WINDOWKV_ASSIGN_OR_RETURN(const ModelRunner::Config runner_config,
                            MakeRunnerConfig(config, model));
  WINDOWKV_ASSIGN_OR_RETURN(std::unique_ptr<ModelRunner> runner,
                            ModelRunner::Create(runner_config));
  EngineLoop::Config loop;
  loop.scheduler.max_running = config.max_running;
  loop.scheduler.max_reading = config.max_reading;
  loop.scheduler.max_reading_tokens = MaxReadingTokens(config, model);
  loop.scheduler.target_itl = config.target_itl;
  loop.scheduler.ageing = config.ageing;
  loop.scheduler.max_preemptions = config.max_preemptions;
  loop.eos_token_ids = model.eos_token_ids;
  loop.num_layers = model.num_layers;
  ModelInfo info = MakeInfo(config, runner_config, runner->cache_geometry(), tokenizer, sampling);
  return std::make_unique<LlamaEngine>(config, std::move(info), std::move(tokenizer), loop,
                                       std::move(runner), metrics);
}

}  // namespace windowkv
