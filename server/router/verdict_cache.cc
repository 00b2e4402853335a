#include "server/router/verdict_cache.h"

#include <openssl/sha.h>

#include <iterator>

namespace windowkv {

VerdictCache::Key VerdictCache::KeyOf(const std::string& text) {
  Key key;
  static_assert(std::tuple_size<Key>::value == SHA256_DIGEST_LENGTH);
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.data());
  return key;
}

std::optional<VerdictCache::Verdict> VerdictCache::Find(const Key& key, absl::Duration now) {
  std::lock_guard lock(mu_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  const Entries::iterator entry = found->second;
  if (now - entry->inserted >= options_.max_age) {
    EraseLocked(entry);
    metrics_->OnTaskCacheEntries(entries_.size());
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  metrics_->OnTaskCacheHit();
  return entry->verdict;
}

void VerdictCache::Insert(const Key& key, const Verdict& verdict, const std::string& model,
                          absl::Duration now) {
  if (!enabled()) return;
  std::lock_guard lock(mu_);
  if (model != model_) {
    by_key_.clear();
    entries_.clear();
    model_ = model;
  }
  // Requests with the same text may all have asked.
  if (const auto found = by_key_.find(key); found != by_key_.end()) EraseLocked(found->second);
  if (entries_.size() == options_.max_entries) EraseLocked(std::prev(entries_.end()));
  entries_.push_front({key, verdict, now});
  by_key_[key] = entries_.begin();
  metrics_->OnTaskCacheEntries(entries_.size());
}

void VerdictCache::EraseLocked(Entries::iterator entry) {
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace windowkv
