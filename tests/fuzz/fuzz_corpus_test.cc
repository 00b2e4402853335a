#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_targets.h"
#include "tests/fuzz/model_directory.h"

namespace windowkv {
namespace {

struct Target {
  const char* name;  // of its folder in the corpus
  FuzzFunction* run;
};

constexpr Target kTargets[] = {
    {"bert_config", &FuzzBertConfig},
    {"bpe", &FuzzBpe},
    {"chat_template", &FuzzChatTemplate},
    {"detokenizer", &FuzzDetokenizer},
    {"generate_request", &FuzzGenerateRequest},
    {"llama_config", &FuzzLlamaConfig},
    {"safetensors", &FuzzSafetensors},
    {"split_pattern", &FuzzSplitPattern},
    {"stop_checker", &FuzzStopChecker},
    {"tokenizer_file", &FuzzTokenizerFile},
    {"wordpiece", &FuzzWordPiece},
};

std::vector<std::filesystem::path> SortedEntries(const std::string& dir) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

class FuzzCorpusTest : public testing::TestWithParam<Target> {};

TEST_P(FuzzCorpusTest, KeepsItsPromisesForEveryFile) {
  const auto paths = SortedEntries(SourceFile("tests/fuzz/corpus/") + GetParam().name);
  EXPECT_FALSE(paths.empty());
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    ASSERT_TRUE(file) << path;
    const std::string input((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
    EXPECT_EQ(GetParam().run(input), absl::OkStatus()) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, FuzzCorpusTest, testing::ValuesIn(kTargets),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(FuzzCorpusFoldersTest, EachBelongsToATarget) {
  std::set<std::string> folders;
  for (const auto& path : SortedEntries(SourceFile("tests/fuzz/corpus"))) {
    folders.insert(path.filename());
  }
  std::set<std::string> targets;
  for (const Target& target : kTargets) targets.insert(target.name);
  EXPECT_EQ(folders, targets);
}

}  // namespace
}  // namespace windowkv
