#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "tests/fuzz/fuzz_targets.h"

// Compiled once per program; WINDOWKV_FUZZ_TARGET is the function that this program runs.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::Status status =
      windowkv::WINDOWKV_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  if (status.ok()) return 0;
  std::cerr << "broken promise: " << status << '\n';
  std::abort();
}
