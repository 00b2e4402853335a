#ifndef WINDOWKV_CLIENT_QUALITY_QUALITY_RUN_H_
#define WINDOWKV_CLIENT_QUALITY_QUALITY_RUN_H_

#include <windowkv/v1/generation.pb.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "client/client.h"
#include "client/quality/document_generator.h"
#include "client/quality/quality_result.h"

namespace windowkv::client {

struct QualityPlan {
  int documents = 0;
  // Requests in flight.
  int concurrency = 1;
  // Each with each budget. FULL is not among them: it always runs once per document, as reference.
  std::vector<v1::CachePolicy> policies;
  std::vector<int32_t> budgets;
  // WINDOWKV's requests are made once naming each of these tasks, which decide its strategy. Empty:
  // once naming none, so that the server finds it.
  std::vector<v1::Task> tasks;
  // What every request has besides prompt, policy, budget and task: sampling.
  v1::GenerateRequest request;
  // Options of WINDOWKV alone, for its requests.
  v1::CacheOptions windowkv;

  // What each document is asked under, in the order of asking.
  std::vector<CacheSetting> Settings() const;
};

// Asks each document's question under every setting, document by document, so that a run that is
// stopped has treated all settings alike. An answer is right when it is the document's, blanks at
// both ends aside. A request that fails, or runs under another policy than asked for, is counted
// and the rest go on; cancellation ends the run, and requests it cancels count nowhere. Blocks; one
// thread per request in flight, on which `on_done` is called, one call at a time, with the number
// of requests that have ended.
QualityResult RunQuality(Client& client, const DocumentGenerator& generator,
                         const QualityPlan& plan, const CallOptions& options,
                         const std::function<void(int)>& on_done);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_QUALITY_QUALITY_RUN_H_
