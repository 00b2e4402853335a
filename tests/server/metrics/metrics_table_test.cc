#include "tests/server/metrics/metrics_table.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "gtest/gtest.h"

namespace windowkv::testing {
namespace {

constexpr char kBegin[] = "<!-- generated: begin -->\n";
constexpr char kEnd[] = "<!-- generated: end -->\n";

std::string DocumentPath() {
  return std::string(std::getenv("WINDOWKV_SOURCE_DIR")) + "/docs/metrics.md";
}

std::string ReadDocument() {
  std::ifstream file(DocumentPath());
  return {std::istreambuf_iterator<char>(file), {}};
}

// The document with the table that the code gives.
std::string WithTable(const std::string& document) {
  const size_t begin = document.find(kBegin);
  const size_t end = document.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos) return "";
  return document.substr(0, begin) + kBegin + "\n" + MetricsTable() + document.substr(end);
}

TEST(MetricsTableTest, TheDocumentHasEveryMetricAsTheCodeHasIt) {
  const std::string document = ReadDocument();
  const std::string expected = WithTable(document);
  ASSERT_NE(expected, "") << DocumentPath() << " lacks " << kBegin << " or " << kEnd;
  if (std::getenv("WINDOWKV_WRITE_DOCS") != nullptr) {
    std::ofstream(DocumentPath()) << expected;
    return;
  }
  EXPECT_EQ(document, expected)
      << "docs/metrics.md differs from the code; to write it anew:\n"
         "  WINDOWKV_WRITE_DOCS=1 ctest --preset release -R server_metrics_test";
}

TEST(MetricsTableTest, NamesFollowTheRules) {
  const std::set<std::string> kForeignUnits = {"ms", "milliseconds", "us", "minutes", "kb",
                                               "mb", "mib",          "gb", "gib",     "percent"};
  for (const ProgramMetrics& program : AllMetrics()) {
    for (const DescribedMetric& metric : program.metrics) {
      SCOPED_TRACE(metric.name);
      EXPECT_TRUE(metric.name.starts_with("windowkv_") || metric.name.starts_with("process_"));
      EXPECT_EQ(metric.type == "counter", metric.name.ends_with("_total"));
      EXPECT_NE(metric.help, "");
      EXPECT_FALSE(metric.help.ends_with("."));
      std::string word;
      for (const char c : metric.name + "_") {
        if (c != '_') {
          word += c;
          continue;
        }
        EXPECT_FALSE(kForeignUnits.contains(word)) << word;
        word.clear();
      }
    }
  }
}

// What a client sends must not become a label: each of these has a bounded set of values.
TEST(MetricsTableTest, LabelsAreBounded) {
  const std::set<std::string> kBounded = {
      "model",        "policy", "task",       "finish_reason",  "code",    "reason", "backend",
      "architecture", "dtype",  "block_size", "context_length", "program", "version"};
  for (const ProgramMetrics& program : AllMetrics()) {
    for (const DescribedMetric& metric : program.metrics) {
      for (const std::string& label : metric.labels) {
        EXPECT_TRUE(kBounded.contains(label)) << metric.name << ": is " << label << " bounded?";
      }
    }
  }
}

TEST(MetricsTableTest, PromtoolFindsNothing) {
  if (std::system("command -v promtool >/dev/null") != 0) {
    GTEST_SKIP() << "promtool is not installed: deploy/install_dependencies.sh --checks";
  }
  const std::string said = ::testing::TempDir() + "promtool_said.txt";
  FILE* promtool = popen(("promtool check metrics >" + said + " 2>&1").c_str(), "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = TextOfAllMetrics();
  EXPECT_EQ(fwrite(text.data(), 1, text.size(), promtool), text.size());
  const int status = pclose(promtool);
  std::ifstream file(said);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "");
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace windowkv::testing
