#include "engine/base/model_name.h"

#include <filesystem>
#include <string>

#include "gtest/gtest.h"

namespace windowkv {
namespace {

TEST(ModelNameTest, IsTheDirectorysOwnHoweverItIsNamed) {
  const std::filesystem::path root =
      std::filesystem::path(::testing::TempDir()) / "model_name_test";
  std::filesystem::remove_all(root);
  std::filesystem::create_directories(root / "llama");
  std::filesystem::create_directory_symlink("llama", root / "current");
  for (const char* path : {"llama", "llama/", "llama/.", "current", "current/"}) {
    EXPECT_EQ(ModelName((root / path).string()), "llama") << path;
  }
  std::filesystem::remove_all(root);
}

TEST(ModelNameTest, IsWhatWasGivenWhereThereIsNoDirectory) {
  EXPECT_EQ(ModelName("/no/such/model"), "/no/such/model");
}

}  // namespace
}  // namespace windowkv
