#ifndef WINDOWKV_TESTS_INTEGRATION_METRICS_PAGE_H_
#define WINDOWKV_TESTS_INTEGRATION_METRICS_PAGE_H_

#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace windowkv::testing {

// What the server with this HTTP address answers to GET /metrics. UNAVAILABLE: anything but 200.
absl::StatusOr<std::string> ReadMetrics(const std::string& http);

// Names and labels of all samples of such a page: `windowkv_router_requests_total{code="OK"}`.
std::set<std::string> SeriesOf(const std::string& page);

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_INTEGRATION_METRICS_PAGE_H_
