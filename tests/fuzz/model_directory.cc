#include "tests/fuzz/model_directory.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace windowkv {
namespace {

[[noreturn]] void Fail(const std::string& path) {
  std::perror(path.c_str());
  std::abort();
}

}  // namespace

ModelDirectory::ModelDirectory()
    : path_(std::filesystem::temp_directory_path() / "windowkv_fuzz_XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) Fail(path_);
}

ModelDirectory::~ModelDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void ModelDirectory::Write(const std::string& name, std::string_view bytes) const {
  const std::string path = path_ + "/" + name;
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  if (!file.flush()) Fail(path);
}

std::string SourceFile(const std::string& name) {
  const char* dir = std::getenv("WINDOWKV_SOURCE_DIR");
  return (dir == nullptr ? std::string(".") : dir) + "/" + name;
}

}  // namespace windowkv
