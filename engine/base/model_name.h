#ifndef WINDOWKV_ENGINE_BASE_MODEL_NAME_H_
#define WINDOWKV_ENGINE_BASE_MODEL_NAME_H_

#include <string>

namespace windowkv {

// What answers and metrics call the model in `dir`: the directory's own name, where a link leads to
// it. `dir` itself when there is none.
std::string ModelName(const std::string& dir);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_BASE_MODEL_NAME_H_
