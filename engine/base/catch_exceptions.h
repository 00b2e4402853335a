#ifndef WINDOWKV_ENGINE_BASE_CATCH_EXCEPTIONS_H_
#define WINDOWKV_ENGINE_BASE_CATCH_EXCEPTIONS_H_

#include <exception>
#include <new>
#include <utility>

#include "absl/status/status.h"

namespace windowkv {

// Runs `fn` and turns what LibTorch throws into a Status: the one place where exceptions end.
// RESOURCE_EXHAUSTED for memory, INTERNAL for everything else.
template <typename Fn>
absl::Status CatchExceptions(Fn&& fn) {
  try {
    std::forward<Fn>(fn)();
    return absl::OkStatus();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_BASE_CATCH_EXCEPTIONS_H_
