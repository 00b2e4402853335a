#include "tests/server/metrics/prometheus_text.h"

#include <limits>
#include <regex>
#include <sstream>

#include "gtest/gtest.h"

namespace windowkv::testing {
namespace {

// The family that a sample belongs to: a histogram's samples carry a suffix.
std::string FamilyOf(const std::string& name, const std::map<std::string, std::string>& types) {
  if (types.contains(name)) return name;
  for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
    if (!name.ends_with(suffix)) continue;
    const std::string family = name.substr(0, name.size() - suffix.size());
    const auto it = types.find(family);
    if (it != types.end() && it->second == "histogram") return family;
  }
  return "";
}

}  // namespace

double PrometheusText::Value(const std::string& series) const {
  const auto it = samples.find(series);
  return it == samples.end() ? std::numeric_limits<double>::quiet_NaN() : it->second;
}

PrometheusText Scrape(const MetricsRegistry& registry) {
  static const std::regex kHelp(R"(# HELP [a-zA-Z_:][a-zA-Z0-9_:]* .+)");
  static const std::regex kType(R"(# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram))");
  static const std::regex kSample(
      R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="[^"]*"(,[a-zA-Z_][a-zA-Z0-9_]*="[^"]*")*\})? ([^ ]+))re");
  PrometheusText text;
  std::istringstream lines(registry.Text());
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, kHelp)) continue;
    if (std::regex_match(line, match, kType)) {
      EXPECT_FALSE(text.types.contains(match[1])) << "declared twice: " << line;
      text.types[match[1]] = match[2];
    } else if (std::regex_match(line, match, kSample)) {
      EXPECT_NE(FamilyOf(match[1], text.types), "") << "no TYPE before: " << line;
      EXPECT_TRUE(text.samples.emplace(match[1].str() + match[2].str(), std::stod(match[4])).second)
          << "twice: " << line;
    } else {
      ADD_FAILURE() << "not in the text format: " << line;
    }
  }
  return text;
}

}  // namespace windowkv::testing
