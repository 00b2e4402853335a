#include "engine/base/model_name.h"

#include <filesystem>
#include <system_error>

namespace windowkv {

std::string ModelName(const std::string& dir) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(dir, error);
  return error ? dir : path.filename().string();
}

}  // namespace windowkv
