#include "tests/integration/metrics_page.h"

#include <httplib.h>

#include <sstream>

#include "absl/strings/str_cat.h"

namespace windowkv::testing {

absl::StatusOr<std::string> ReadMetrics(const std::string& http) {
  const auto page = httplib::Client("http://" + http).Get("/metrics");
  if (page && page->status == 200) return page->body;
  return absl::UnavailableError(absl::StrCat(
      http, "/metrics: ", page ? std::to_string(page->status) : httplib::to_string(page.error())));
}

std::set<std::string> SeriesOf(const std::string& page) {
  std::set<std::string> series;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.front() != '#') series.insert(line.substr(0, line.rfind(' ')));
  }
  return series;
}

}  // namespace windowkv::testing
