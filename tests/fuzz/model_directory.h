#ifndef WINDOWKV_TESTS_FUZZ_MODEL_DIRECTORY_H_
#define WINDOWKV_TESTS_FUZZ_MODEL_DIRECTORY_H_

#include <string>
#include <string_view>

namespace windowkv {

// A directory in the place for temporary files, made for one run of a fuzz target and removed after
// it. Ends the process when the disk does not play along.
class ModelDirectory {
 public:
  ModelDirectory();
  ~ModelDirectory();
  ModelDirectory(const ModelDirectory&) = delete;
  ModelDirectory& operator=(const ModelDirectory&) = delete;

  const std::string& path() const { return path_; }
  void Write(const std::string& name, std::string_view bytes) const;

 private:
  std::string path_;
};

// A file of this repository, which WINDOWKV_SOURCE_DIR names.
std::string SourceFile(const std::string& name);

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_FUZZ_MODEL_DIRECTORY_H_
