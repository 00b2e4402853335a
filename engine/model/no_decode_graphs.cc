#include <c10/util/Exception.h>

#include "engine/model/decode_graphs.h"

namespace windowkv {

std::unique_ptr<DecodeGraphs> MakeDecodeGraphs(const DecodeGraphs::Config&, at::Device) {
  TORCH_CHECK(false, "this program was built without CUDA");
}

}  // namespace windowkv
