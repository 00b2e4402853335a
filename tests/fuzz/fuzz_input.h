#ifndef WINDOWKV_TESTS_FUZZ_FUZZ_INPUT_H_
#define WINDOWKV_TESTS_FUZZ_FUZZ_INPUT_H_

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "absl/status/status.h"

namespace windowkv {

// Takes a fuzz target's input apart from the front; what is missing reads as 0 or empty. A value
// that points into the input.
class FuzzInput {
 public:
  explicit FuzzInput(std::string_view bytes) : rest_(bytes) {}

  uint8_t Byte();
  // Two bytes, the low one first.
  uint16_t Number();
  // What stands before the next byte 0, which is taken too; all that is left when there is none.
  std::string_view Part();
  std::string_view Rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// What a fuzz target returns for a promise that was not kept.
absl::Status Broken(std::string_view promise);

// Whether `status` is a refusal as readers of files give it: one of `codes`, and its message begins
// with `place`, such as the file's path.
absl::Status CheckRefusal(const absl::Status& status, std::initializer_list<absl::StatusCode> codes,
                          std::string_view place);

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_FUZZ_FUZZ_INPUT_H_
