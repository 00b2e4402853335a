#ifndef WINDOWKV_TESTS_ENGINE_TEXT_CHECKPOINT_FILES_H_
#define WINDOWKV_TESTS_ENGINE_TEXT_CHECKPOINT_FILES_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/text/tokenizer.h"

namespace windowkv {

inline std::string SourcePath(const std::string& name) {
  const char* dir = std::getenv("WINDOWKV_SOURCE_DIR");
  return (dir == nullptr ? std::string(".") : dir) + "/" + name;
}

// Others' public test data; absent on most machines.
inline std::string FixturePath(const std::string& name) {
  const char* dir = std::getenv("WINDOWKV_FIXTURES_DIR");
  return (dir == nullptr ? SourcePath("../shared/fixtures") : std::string(dir)) + "/" + name;
}

inline std::string DemoModelDir() { return SourcePath("deploy/models/demo_llama"); }
inline std::string ClassifierDir() { return SourcePath("deploy/models/task_classifier"); }

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline nlohmann::json ReadJson(const std::string& path) {
  return nlohmann::json::parse(ReadText(path), nullptr, /*allow_exceptions=*/false);
}

inline const nlohmann::json& TokenizerGoldens() {
  static const nlohmann::json goldens = ReadJson(SourcePath("tests/golden/data/tokenizers.json"));
  return goldens;
}

// A directory of one test, made anew; files are written over.
class CheckpointDir {
 public:
  CheckpointDir() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = testing::TempDir() + "windowkv_text_" + test->test_suite_name() + "_" + test->name();
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~CheckpointDir() { std::filesystem::remove_all(path_); }
  CheckpointDir(const CheckpointDir&) = delete;
  CheckpointDir& operator=(const CheckpointDir&) = delete;

  const std::string& path() const { return path_; }

  void Write(const std::string& name, std::string_view bytes) const {
    std::ofstream file(path_ + "/" + name, std::ios::binary);
    file << bytes;
    ASSERT_TRUE(file.flush().good()) << name;
  }
  void WriteJson(const std::string& name, const nlohmann::json& content) const {
    Write(name, content.dump());
  }

 private:
  std::string path_;
};

// The tokenizer of a tokenizer.json with this content, and maybe a tokenizer_config.json.
inline absl::StatusOr<std::unique_ptr<Tokenizer>> LoadFrom(const nlohmann::json& tokenizer,
                                                           const nlohmann::json& config = {}) {
  const CheckpointDir dir;
  dir.WriteJson("tokenizer.json", tokenizer);
  if (!config.is_null()) dir.WriteJson("tokenizer_config.json", config);
  return LoadTokenizer(dir.path());
}

// A tokenizer.json of the golden file with some sections replaced. "model.x" names a member.
inline nlohmann::json Patched(nlohmann::json file, const nlohmann::json& patch) {
  for (const auto& [key, value] : patch.items()) {
    const size_t dot = key.find('.');
    if (dot == std::string::npos) {
      file[key] = value;
    } else {
      file[key.substr(0, dot)][key.substr(dot + 1)] = value;
    }
  }
  return file;
}

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_TEXT_CHECKPOINT_FILES_H_
