#ifndef WINDOWKV_TESTS_ENGINE_WEIGHTS_TEST_FILES_H_
#define WINDOWKV_TESTS_ENGINE_WEIGHTS_TEST_FILES_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace windowkv {

// The repository's root, from the environment that ctest sets.
inline std::string SourceDir() {
  const char* dir = std::getenv("WINDOWKV_SOURCE_DIR");
  return dir == nullptr ? "." : dir;
}

// An empty directory for one test, made anew.
inline std::string FreshTestDir() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test->test_suite_name()) + "." + test->name();
  for (char& c : name) {
    if (c == '/') c = '_';
  }
  std::string dir = testing::TempDir() + "windowkv_" + name;
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  return dir;
}

inline void WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  ASSERT_TRUE(file.flush().good()) << path;
}

// Safetensors bytes: the header's length, header, data.
inline std::string SafetensorsBytes(std::string_view header, std::string_view data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  bytes += header;
  bytes += data;
  return bytes;
}

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_WEIGHTS_TEST_FILES_H_
