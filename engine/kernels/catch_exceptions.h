#ifndef WINDOWKV_ENGINE_KERNELS_CATCH_EXCEPTIONS_H_
#define WINDOWKV_ENGINE_KERNELS_CATCH_EXCEPTIONS_H_

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"

namespace windowkv {

// What LibTorch threw, without its stack trace. RESOURCE_EXHAUSTED for memory, INTERNAL for
// everything else.
inline absl::Status StatusOf(const c10::Error& error) {
  const absl::string_view message = error.what_without_backtrace();
  // The processor's allocator has no type of its own for it.
  const bool is_memory = dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
                         absl::StrContains(message, "can't allocate memory");
  return is_memory ? absl::ResourceExhaustedError(message) : absl::InternalError(message);
}

// Runs `fn` and turns what is thrown into a Status: the one place where exceptions end.
template <typename Fn>
absl::Status CatchExceptions(Fn&& fn) {
  try {
    std::forward<Fn>(fn)();
    return absl::OkStatus();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const c10::Error& error) {
    return StatusOf(error);
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CATCH_EXCEPTIONS_H_
