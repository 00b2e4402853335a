#include "server/router/backend_pool.h"

#include <optional>

#include "absl/strings/str_cat.h"

namespace windowkv {

BackendPool::BackendPool(const std::vector<std::string>& targets, RouterMetrics* metrics,
                         const Logger& logger, const ServerChannelOptions& channel) {
  for (const std::string& target : targets) {
    backends_.push_back(std::make_unique<Backend>(target, metrics, logger, channel));
  }
}

Backend* BackendPool::PickForStream(const std::set<const Backend*>& tried) {
  std::lock_guard lock(pick_mu_);
  Backend* backend = PickForCall(tried);
  if (backend != nullptr) backend->OnStreamOpened();
  return backend;
}

Backend* BackendPool::PickForCall(const std::set<const Backend*>& tried) const {
  Backend* best = nullptr;
  int64_t best_free = 0;
  int best_streams = 0;
  for (const auto& backend : backends_) {
    if (tried.count(backend.get()) > 0) continue;
    const std::optional<int64_t> free = backend->ExpectedFreeBlocks();
    if (!free) continue;
    const int streams = backend->open_streams();
    if (best == nullptr || *free > best_free || (*free == best_free && streams < best_streams)) {
      best = backend.get();
      best_free = *free;
      best_streams = streams;
    }
  }
  return best;
}

bool BackendPool::AnyHealthy() const {
  for (const auto& backend : backends_) {
    if (backend->healthy()) return true;
  }
  return false;
}

v1::Load BackendPool::TotalLoad() const {
  v1::Load total;
  for (const auto& backend : backends_) {
    const v1::Backend state = backend->Describe();
    if (!state.healthy()) continue;
    const v1::Load& load = state.load();
    total.set_free_kv_blocks(total.free_kv_blocks() + load.free_kv_blocks());
    total.set_total_kv_blocks(total.total_kv_blocks() + load.total_kv_blocks());
    total.set_running(total.running() + load.running());
    total.set_waiting(total.waiting() + load.waiting());
    total.set_accepting(true);
  }
  return total;
}

absl::Status BackendPool::NoBackendError() const {
  return absl::UnavailableError(
      absl::StrCat("none of the ", backends_.size(), " generation backends is healthy"));
}

}  // namespace windowkv
