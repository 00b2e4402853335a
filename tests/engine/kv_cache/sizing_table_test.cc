#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engine/cache_policy/cache_config.h"
#include "engine/cache_policy/policy.h"
#include "engine/kv_cache/kv_cache_manager.h"

// The sizing tables of docs/operating.md against the code that admits requests.

namespace windowkv {
namespace {

constexpr int32_t kBlockSize = 16;
constexpr int32_t kContextLength = 131'072;

using Row = std::vector<std::string>;

// The cells of every line of the manual that is a table's.
std::vector<Row> TableRows() {
  std::ifstream manual(absl::StrCat(std::getenv("WINDOWKV_SOURCE_DIR"), "/docs/operating.md"));
  std::vector<Row> rows;
  for (std::string line; std::getline(manual, line);) {
    if (line.empty() || line.front() != '|') continue;
    Row cells;
    for (const absl::string_view cell : absl::StrSplit(line.substr(1, line.rfind('|') - 1), '|')) {
      cells.emplace_back(absl::StripAsciiWhitespace(cell));
    }
    rows.push_back(std::move(cells));
  }
  return rows;
}

// The rows below the heading that begins with these cells.
std::vector<Row> RowsBelow(const Row& heading, Row* whole_heading = nullptr) {
  const std::vector<Row> rows = TableRows();
  std::vector<Row> found;
  for (auto row = rows.begin(); row != rows.end(); ++row) {
    if (row->size() < heading.size() || !std::equal(heading.begin(), heading.end(), row->begin())) {
      continue;
    }
    if (whole_heading != nullptr) *whole_heading = *row;
    const size_t width = row->size();
    for (row += 2; row != rows.end() && row->size() == width; ++row) found.push_back(*row);
    return found;
  }
  ADD_FAILURE() << "no table with the heading " << absl::StrJoin(heading, " | ");
  return found;
}

int64_t Number(const std::string& text) {
  int64_t number = -1;
  EXPECT_TRUE(absl::SimpleAtoi(text, &number)) << text;
  return number;
}

// Of "48 GiB".
int64_t Bytes(const std::string& text) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, ' ');
  const std::map<std::string, int> shifts = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
  return Number(parts.first) << shifts.at(parts.second);
}

struct Model {
  int32_t layers = 0;
  int64_t token_bytes = 0;  // in one layer
};

std::map<std::string, Model> Models() {
  std::map<std::string, Model> models;
  for (const Row& row : RowsBelow({"model", "layers", "KV heads"})) {
    const auto layers = static_cast<int32_t>(Number(row[1]));
    const int64_t token_bytes = 2 * Number(row[2]) * Number(row[3]) * Number(row[4]);
    EXPECT_EQ(Bytes(row[5]), layers * token_bytes) << row[0];
    models[row[0]] = {layers, token_bytes};
  }
  return models;
}

struct Situation {
  Model model;
  int64_t pool_bytes = 0;
  int32_t prompt_tokens = 0;
  int32_t max_tokens = 0;
};

// Of "windowkv 1024": policy and budget.
CacheOptions OptionsOf(const std::string& column) {
  const std::vector<std::string> words = absl::StrSplit(column, ' ');
  CacheOptions options;
  options.policy = PoliciesByName().at(words[0]);
  if (words.size() > 1) options.budget = BudgetTokens{static_cast<int32_t>(Number(words[1]))};
  return options;
}

// How many requests the server admits before one has to wait.
int64_t RequestsAtOnce(const Situation& situation, const CacheOptions& options) {
  const Model& model = situation.model;
  const int64_t block_bytes = kBlockSize * model.token_bytes;
  KvCacheManager manager(
      {model.layers, kBlockSize, block_bytes, situation.pool_bytes / block_bytes});
  CacheRules rules;
  rules.shape = {model.layers, kContextLength, model.token_bytes, kBlockSize};
  const auto config =
      ResolveCacheOptions(options, rules, Task::kLocalization, situation.prompt_tokens, {});
  EXPECT_TRUE(config.ok()) << config.status();
  if (!config.ok()) return -1;
  const auto plan = manager.Plan(*config, situation.prompt_tokens, situation.max_tokens);
  if (!plan.ok()) return 0;  // more than the whole pool
  std::vector<SequenceKvCache> admitted;
  while (auto cache = manager.Admit(*plan)) admitted.push_back(*std::move(cache));
  return static_cast<int64_t>(admitted.size());
}

constexpr int kFirstPolicyColumn = 5;

Situation SituationOf(const Row& row, const std::map<std::string, Model>& models) {
  return {models.at(row[0]), Bytes(row[2]), static_cast<int32_t>(Number(row[3])),
          static_cast<int32_t>(Number(row[4]))};
}

TEST(SizingTableTest, SaysHowManyRequestsAdmissionLetsRunAtOnce) {
  const std::map<std::string, Model> models = Models();
  Row heading;
  const std::vector<Row> rows =
      RowsBelow({"model", "on", "`--kv-pool-bytes`", "prompt", "`max_tokens`"}, &heading);
  EXPECT_GE(rows.size(), 8u);
  for (const Row& row : rows) {
    const Situation situation = SituationOf(row, models);
    Row right(row.begin(), row.begin() + kFirstPolicyColumn);
    for (size_t column = kFirstPolicyColumn; column < row.size(); ++column) {
      right.push_back(absl::StrCat(RequestsAtOnce(situation, OptionsOf(heading[column]))));
    }
    EXPECT_EQ(absl::StrJoin(row, " | "), absl::StrJoin(right, " | "));
  }
}

TEST(SizingTableTest, TheRuleOfThumbIsWithinATenth) {
  const std::map<std::string, Model> models = Models();
  for (const Row& row : RowsBelow({"model", "on", "`--kv-pool-bytes`"})) {
    const Situation situation = SituationOf(row, models);
    for (const int32_t budget : {512, 1024, 2048}) {
      CacheOptions options;
      options.policy = CachePolicy::kWindowKv;
      options.budget = BudgetTokens{budget};
      const auto by_rule =
          static_cast<double>(situation.pool_bytes) /
          static_cast<double>(situation.model.layers * (budget + situation.max_tokens + 8) *
                              situation.model.token_bytes);
      const auto admitted = static_cast<double>(RequestsAtOnce(situation, options));
      EXPECT_NEAR(admitted, by_rule, 0.1 * by_rule + 1) << absl::StrJoin(row, " | ") << budget;
    }
  }
}

}  // namespace
}  // namespace windowkv
