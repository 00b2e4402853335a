#include "engine/kv_cache/sequence_kv_cache.h"

#include <algorithm>
#include <utility>

namespace windowkv {

SequenceKvCache::SequenceKvCache(CachePlan plan, int32_t num_layers, int32_t block_size,
                                 BlockAllocator* allocator)
    : plan_(std::move(plan)),
      block_size_(block_size),
      allocator_(allocator),
      reserved_(plan_.blocks),
      layers_(num_layers),
      kept_(plan_.groups.size()) {}

SequenceKvCache::SequenceKvCache(SequenceKvCache&& other) noexcept
    : plan_(std::move(other.plan_)),
      block_size_(other.block_size_),
      allocator_(std::exchange(other.allocator_, nullptr)),
      reserved_(std::exchange(other.reserved_, 0)),
      layers_(std::move(other.layers_)),
      kept_(std::move(other.kept_)),
      prefill_peak_bytes_(other.prefill_peak_bytes_),
      selection_time_(other.selection_time_) {}

SequenceKvCache& SequenceKvCache::operator=(SequenceKvCache&& other) noexcept {
  if (this == &other) return *this;
  Release();
  plan_ = std::move(other.plan_);
  block_size_ = other.block_size_;
  allocator_ = std::exchange(other.allocator_, nullptr);
  reserved_ = std::exchange(other.reserved_, 0);
  layers_ = std::move(other.layers_);
  kept_ = std::move(other.kept_);
  prefill_peak_bytes_ = other.prefill_peak_bytes_;
  selection_time_ = other.selection_time_;
  return *this;
}

SequenceKvCache::~SequenceKvCache() { Release(); }

void SequenceKvCache::Release() {
  if (allocator_ == nullptr) return;
  for (const Layer& layer : layers_) allocator_->Free(layer.blocks);
  allocator_->ReturnReservation(reserved_);
  allocator_ = nullptr;
}

int32_t SequenceKvCache::GroupOf(int32_t layer) const {
  // Only the last group may be short.
  return layer / plan_.groups.front().num_layers;
}

int64_t SequenceKvCache::held_blocks() const {
  int64_t held = 0;
  for (const Layer& layer : layers_) held += static_cast<int64_t>(layer.blocks.size());
  return held;
}

void SequenceKvCache::SetKept(int32_t group, KeptTokens kept) {
  const LayerGroup& of = plan_.groups[group];
  for (int32_t i = 0; i < of.num_layers; ++i) ShrinkTo(kept.count(), layers_[of.first_layer + i]);
  kept_[group] = std::move(kept);
}

void SequenceKvCache::Grow(int32_t layer, int32_t tokens) {
  Layer& grown = layers_[layer];
  grown.length += tokens;
  while (static_cast<int64_t>(grown.blocks.size()) * block_size_ < grown.length) {
    grown.blocks.push_back(allocator_->TakeReserved());
    --reserved_;
  }
}

void SequenceKvCache::Commit() {
  for (Layer& layer : layers_) layer.committed = layer.length;
}

void SequenceKvCache::RollBack() {
  for (Layer& layer : layers_) ShrinkTo(layer.committed, layer);
}

void SequenceKvCache::ShrinkTo(int32_t length, Layer& layer) {
  layer.length = std::min(layer.length, length);
  while (!layer.blocks.empty() &&
         (static_cast<int64_t>(layer.blocks.size()) - 1) * block_size_ >= layer.length) {
    allocator_->ReturnReserved(layer.blocks.back());
    layer.blocks.pop_back();
    ++reserved_;
  }
}

void SequenceKvCache::NoteAlive(int64_t bytes) {
  prefill_peak_bytes_ = std::max(prefill_peak_bytes_, bytes);
}

}  // namespace windowkv
