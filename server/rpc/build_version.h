#ifndef WINDOWKV_SERVER_RPC_BUILD_VERSION_H_
#define WINDOWKV_SERVER_RPC_BUILD_VERSION_H_

#include <string_view>

namespace windowkv {

// "0.1.0 (1a2b3c4d5e6f)": the release and the commit this tree had when it was configured.
std::string_view BuildVersion();

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_BUILD_VERSION_H_
