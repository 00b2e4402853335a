#ifndef WINDOWKV_SERVER_ROUTER_VERDICT_CACHE_H_
#define WINDOWKV_SERVER_ROUTER_VERDICT_CACHE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"
#include "server/metrics/router_metrics.h"
#include "windowkv/v1/types.pb.h"

namespace windowkv {

// What classifiers found of texts, so that a text that comes again is not classified again. Texts
// are not kept, only their SHA-256: nobody knows how to make two texts that share one, so no client
// can choose the verdict of another's text. The entry used longest ago makes room for a new one. An
// entry ends at the age of `max_age`, however often it is used, and all entries end when a
// classifier of another model answers. Owned by a TaskDecider. Thread-safe.
class VerdictCache {
 public:
  struct Options {
    // 0: nothing is kept. An entry takes about 200 bytes.
    size_t max_entries = 4096;
    // Bounds how long a verdict outlives its model where every text is found here, so that no
    // classifier is asked, and where a model changed without changing its name.
    absl::Duration max_age = absl::Minutes(10);
  };
  struct Verdict {
    v1::Task task = v1::TASK_UNSPECIFIED;
    float confidence = 0;
  };
  using Key = std::array<uint8_t, 32>;

  // `metrics` outlives this.
  VerdictCache(Options options, RouterMetrics* metrics) : options_(options), metrics_(metrics) {}

  bool enabled() const { return options_.max_entries > 0; }
  static Key KeyOf(const std::string& text);

  // `now` is by MonotonicNow(), here and below.
  std::optional<Verdict> Find(const Key& key, absl::Duration now);
  // `model`: who found it.
  void Insert(const Key& key, const Verdict& verdict, const std::string& model, absl::Duration now);

 private:
  struct Entry {
    Key key;
    Verdict verdict;
    absl::Duration inserted;
  };
  using Entries = std::list<Entry>;

  void EraseLocked(Entries::iterator entry);

  const Options options_;
  RouterMetrics* const metrics_;  // not owned

  std::mutex mu_;
  std::string model_ WINDOWKV_GUARDED_BY(mu_);  // of all entries
  Entries entries_ WINDOWKV_GUARDED_BY(mu_);    // used last comes first
  std::map<Key, Entries::iterator> by_key_ WINDOWKV_GUARDED_BY(mu_);
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_VERDICT_CACHE_H_
