#include "engine/runtime/model_runner.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <utility>

#include "engine/base/catch_exceptions.h"
#include "engine/base/status.h"
#include "engine/kernels/kernel_threads.h"

namespace windowkv {

absl::StatusOr<std::unique_ptr<ModelRunner>> ModelRunner::Create(const Config& config) {
  std::unique_ptr<ModelRunner> runner;
  absl::Status loaded;
  WINDOWKV_RETURN_IF_ERROR(CatchExceptions([&] {
    c10::InferenceMode guard;
    absl::StatusOr<KvCacheStore> store = KvCacheStore::Create(
        {config.model.num_layers, config.model.num_kv_heads, config.model.head_dim,
         config.block_size, config.kv_pool_bytes, config.dtype});
    absl::StatusOr<LlamaModel> model =
        store.ok() ? LlamaModel::Load(config.model_dir, config.model, config.dtype)
                   : absl::StatusOr<LlamaModel>(store.status());
    ReleaseKernelThreads();
    loaded = model.status();
    if (!loaded.ok()) return;
    runner.reset(new ModelRunner(config, *std::move(model), *std::move(store)));
  }));
  WINDOWKV_RETURN_IF_ERROR(loaded);
  return runner;
}

void ModelRunner::PrepareThread(int32_t num_threads) {
  if (num_threads > 0) at::set_num_threads(num_threads);
}

std::vector<PrefillSlice> ModelRunner::PlanSlices(const CachePlan& plan) const {
  return PlanPrefill(model_.config(), plan.prompt_tokens, plan.observed, config_.prefill_chunk);
}

std::vector<int64_t> ModelRunner::SliceCosts(const CachePlan& plan) const {
  std::vector<int64_t> costs;
  for (const PrefillSlice& slice : PlanSlices(plan)) costs.push_back(slice.cost);
  return costs;
}

absl::StatusOr<std::optional<at::Tensor>> ModelRunner::Prefill(const Batch& batch) {
  std::optional<at::Tensor> logits;
  Sequence& sequence = *batch.prefill;
  const absl::Status status = CatchExceptions([&] {
    c10::InferenceMode guard;
    if (prefilling_ != &sequence) {
      prefilling_ = &sequence;
      slices_ = PlanSlices(sequence.plan);
      prefill_ = model_.StartPrefill(sequence.prompt, sequence.plan);
    }
    for (size_t i = 0; i < batch.num_slices; ++i) {
      model_.RunPrefillSlice(slices_[sequence.slices_done++], prefill_, store_, *sequence.cache);
    }
    if (sequence.prefill_done()) logits = model_.PrefillLogits(prefill_);
  });
  if (!status.ok() || sequence.prefill_done()) Forget(&sequence);
  WINDOWKV_RETURN_IF_ERROR(status);
  return logits;
}

absl::StatusOr<at::Tensor> ModelRunner::Decode(const Batch& batch) {
  at::Tensor logits;
  WINDOWKV_RETURN_IF_ERROR(CatchExceptions([&] {
    c10::InferenceMode guard;
    std::vector<DecodeRow> rows;
    for (Sequence* sequence : batch.decode) {
      rows.push_back({sequence->output.back(), sequence->newest_position(), &*sequence->cache});
    }
    logits = model_.Decode(rows, store_);
  }));
  return logits;
}

void ModelRunner::Forget(const Sequence* sequence) {
  if (prefilling_ != sequence) return;
  prefilling_ = nullptr;
  prefill_ = {};
}

}  // namespace windowkv
