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

void ModelRunner::PrepareThread() {
  if (config_.num_threads > 0) at::set_num_threads(config_.num_threads);
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
    if (end == reading.slices.size()) logits = model_.PrefillLogits(reading.state);
  });
  if (!status.ok() || logits) Forget(&sequence);
  WINDOWKV_RETURN_IF_ERROR(status);
  sequence.cache->Commit();
  return logits;
}

absl::StatusOr<at::Tensor> ModelRunner::Decode(const std::vector<Sequence*>& batch) {
  at::Tensor logits;
  const absl::Status status = CatchExceptions([&] {
    c10::InferenceMode guard;
    std::vector<DecodeRow> rows;
    rows.reserve(batch.size());
    for (Sequence* sequence : batch) {
      rows.push_back({sequence->next_token(), sequence->next_position(), &*sequence->cache});
    }
    logits = model_.Decode(rows, store_);
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
