#include "engine/runtime/model_runner.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/kernels/catch_exceptions.h"
#include "engine/kernels/cuda_device.h"
#include "engine/kernels/device_mark.h"
#include "engine/kernels/kernel_threads.h"
#include "engine/kernels/paged_attention.h"

namespace windowkv {

namespace {

// All that is free but for what reading prompts and decode steps take, and libraries.
absl::StatusOr<int64_t> PoolBytesOf(const ModelRunner::Config& config) {
  constexpr int64_t kLibraries = int64_t{1} << 30;
  const int64_t kept_free =
      ModelRunner::PrefillBytes(config, config.reading_tokens) +
      DecodeGraphs::Bytes(LlamaModel::DecodeConfig(config.model, config.block_size, config.max_rows,
                                                   config.capture_decode)) +
      kLibraries;
  ReleaseUnusedCudaMemory();
  const int64_t free = CudaDeviceMemory(config.device).free_bytes;
  if (free > kept_free) return free - kept_free;
  return absl::ResourceExhaustedError(absl::StrCat(
      "the device has ", free,
      " bytes free beside the weights, where reading and decoding may take ", kept_free,
      ": lower prefill_chunk, max_reading_tokens or max_running, or say kv_pool_bytes"));
}

absl::StatusOr<KvCacheStore> MakeStore(const ModelRunner::Config& config) {
  int64_t pool_bytes = config.kv_pool_bytes;
  if (pool_bytes == 0 && config.device.is_cuda()) {
    WINDOWKV_ASSIGN_OR_RETURN(pool_bytes, PoolBytesOf(config));
  }
  return KvCacheStore::Create({config.model.num_layers, config.model.num_kv_heads,
                               config.model.head_dim, config.block_size, pool_bytes, config.dtype,
                               config.device});
}

absl::Status CheckWeightsFit(const ModelRunner::Config& config) {
  if (!config.device.is_cuda()) return absl::OkStatus();
  const int64_t bytes =
      ParameterCount(config.model) * static_cast<int64_t>(c10::elementSize(config.dtype));
  ReleaseUnusedCudaMemory();
  const int64_t free = CudaDeviceMemory(config.device).free_bytes;
  if (bytes <= free) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      config.model_dir, ": the weights take ", bytes, " bytes as ", c10::toString(config.dtype),
      ", ", config.device.str(), " has ", free, " free: name another device, or a smaller model"));
}

absl::StatusOr<LlamaModel> LoadModel(const ModelRunner::Config& config) {
  WINDOWKV_RETURN_IF_ERROR(CheckWeightsFit(config));
  return LlamaModel::Load(config.model_dir, config.model,
                          at::TensorOptions(config.device).dtype(config.dtype));
}

absl::Status CheckShapes(const ModelRunner::Config& config) {
  if (!config.device.is_cuda()) return absl::OkStatus();
  if (config.model.context_length > kPagedAttentionCudaTokens) {
    return absl::UnimplementedError(absl::StrCat(
        config.model_dir, "/config.json: max_position_embeddings is ", config.model.context_length,
        ", the CUDA kernels take up to ", kPagedAttentionCudaTokens));
  }
  if (HasPagedAttentionCuda(config.model.head_dim, config.dtype)) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat(config.model_dir, "/config.json: head_dim is ", config.model.head_dim,
                   ", the CUDA kernels take heads of up to 512 bytes in multiples of 16"));
}

}  // namespace

int64_t ModelRunner::PrefillBytes(const Config& config, int64_t tokens) {
  const LlamaConfig& model = config.model;
  const int64_t width = int64_t{model.num_heads} * model.head_dim;
  const int64_t kv_width = int64_t{model.num_kv_heads} * model.head_dim;
  const int64_t of_token = model.hidden_size + 2 * kv_width;
  // Normed rows and attended queries, and either the feed-forward's or the attention's own.
  const int64_t of_row = model.hidden_size + width +
                         std::max(int64_t{3} * model.intermediate_size, 4 * width + 2 * kv_width);
  const int64_t rows = std::min<int64_t>(tokens, config.prefill_chunk);
  return (tokens * of_token + rows * of_row) * static_cast<int64_t>(c10::elementSize(config.dtype));
}

absl::StatusOr<std::unique_ptr<ModelRunner>> ModelRunner::Create(const Config& config) {
  WINDOWKV_RETURN_IF_ERROR(CheckShapes(config));
  std::unique_ptr<ModelRunner> runner;
  absl::Status made;
  WINDOWKV_RETURN_IF_ERROR(CatchExceptions([&] {
    c10::InferenceMode guard;
    if (config.device.is_cuda()) UseCudaDevice(config.device);
    absl::StatusOr<LlamaModel> model = LoadModel(config);
    if (config.device.is_cuda()) SynchronizeCuda();
    // After the weights, which decide what is left for the pool.
    absl::StatusOr<KvCacheStore> store =
        model.ok() ? MakeStore(config) : absl::StatusOr<KvCacheStore>(model.status());
    ReleaseKernelThreads();
    made = store.status();
    if (made.ok()) runner.reset(new ModelRunner(config, *std::move(model), *std::move(store)));
  }));
  WINDOWKV_RETURN_IF_ERROR(made);
  return runner;
}

ModelRunner::ModelRunner(const Config& config, LlamaModel model, KvCacheStore store)
    : config_(config), model_(std::move(model)), store_(std::move(store)) {
  model_.ConfigureDecode(config.max_rows, config.capture_decode);
}

void ModelRunner::PrepareThread() {
  if (config_.num_threads > 0) at::set_num_threads(config_.num_threads);
  if (!config_.device.is_cuda()) return;
  UseCudaDevice(config_.device);
  WarmUp();
}

// A device's first products, attention and graph take seconds, which would count as the first
// request's. What fails here fails again where there is somebody to tell.
void ModelRunner::WarmUp() {
  KvCacheManager manager(store_.geometry());
  const int32_t tokens = std::min(64, config_.model.context_length - 1);
  const absl::StatusOr<CachePlan> plan = manager.Plan(CacheConfig{}, tokens, /*max_tokens=*/1);
  if (!plan.ok()) return;
  Sequence sequence;
  sequence.prompt.assign(static_cast<size_t>(tokens), 0);
  sequence.plan = *plan;
  sequence.cache = manager.Admit(*plan);
  if (!sequence.cache || !Prefill({&sequence, PlanSlices(*plan).size()}).ok()) return;
  sequence.output.push_back(0);
  if (Decode({&sequence}, {}).ok()) CatchExceptions([] { SynchronizeCuda(); }).IgnoreError();
}

int64_t ModelRunner::device_memory_bytes() const {
  return config_.device.is_cuda() ? CudaHeldBytes(config_.device) : 0;
}

bool ModelRunner::HasFailed() {
  // An error of a kernel stays with the process's device: every later call gives it back.
  return config_.device.is_cuda() && !CatchExceptions([] { SynchronizeCuda(); }).ok();
}

std::vector<PrefillSlice> ModelRunner::PlanSlices(const CachePlan& plan) const {
  return PlanPrefill(model_.config(), plan.prompt_tokens, plan.observed, config_.prefill_chunk);
}

std::vector<int64_t> ModelRunner::SliceCosts(const CachePlan& plan) const {
  std::vector<int64_t> costs;
  for (const PrefillSlice& slice : PlanSlices(plan)) costs.push_back(slice.cost);
  return costs;
}

ModelRunner::Reading& ModelRunner::ReadingOf(const Sequence& sequence) {
  const auto [it, is_new] = reading_.try_emplace(&sequence);
  if (is_new) {
    it->second.state = model_.StartPrefill(sequence.prompt, sequence.plan);
    it->second.slices = PlanSlices(sequence.plan);
  }
  return it->second;
}

absl::StatusOr<std::optional<at::Tensor>> ModelRunner::Prefill(const PrefillWork& work) {
  Sequence& sequence = *work.sequence;
  std::optional<at::Tensor> logits;
  const absl::Status status = CatchExceptions([&] {
    c10::InferenceMode guard;
    Reading& reading = ReadingOf(sequence);
    const size_t end = sequence.slices_done + work.num_slices;
    for (size_t slice = sequence.slices_done; slice < end; ++slice) {
      model_.RunPrefillSlice(reading.slices[slice], reading.state, store_, *sequence.cache);
    }
    if (end == reading.slices.size()) {
      logits = model_.PrefillLogits(reading.state);
    }
    if (config_.device.is_cuda()) SynchronizeCuda();  // what it took is the scheduler's measure
  });
  if (!status.ok() || logits) Forget(&sequence);
  WINDOWKV_RETURN_IF_ERROR(status);
  sequence.cache->Commit();
  return logits;
}

absl::StatusOr<at::Tensor> ModelRunner::Decode(const std::vector<Sequence*>& batch,
                                               const UnreadTokens& unread) {
  at::Tensor logits;
  const absl::Status status = CatchExceptions([&] {
    c10::InferenceMode guard;
    // Steps whose tokens nobody reads, since they are known, must not pile up on the device.
    if (steps_[0]) steps_[0]->synchronize();
    std::vector<DecodeRow> rows;
    rows.reserve(batch.size());
    for (size_t i = 0; i < batch.size(); ++i) {
      Sequence& sequence = *batch[i];
      const int32_t row = unread.row(i);
      rows.push_back({.token = row == kKnownToken ? sequence.next_token() : 0,
                      .position = sequence.next_position(),
                      .cache = &*sequence.cache,
                      .unread_row = row});
    }
    logits = model_.Decode(rows, store_, unread.ids);
    if (config_.device.is_cuda()) {
      steps_[0] = std::exchange(steps_[1], MarkDevice(config_.device));
    }
  });
  for (Sequence* sequence : batch) {
    if (status.ok()) {
      sequence->cache->Commit();
    } else {
      sequence->cache->RollBack();
    }
  }
  WINDOWKV_RETURN_IF_ERROR(status);
  return logits;
}

}  // namespace windowkv
