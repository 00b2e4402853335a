#ifndef WINDOWKV_CLIENT_COMMAND_LINE_QUANTITY_TEXT_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_QUANTITY_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

// Numbers with units, for people.

namespace windowkv::client {

// "812", "1,234,567"; `count` is not negative.
std::string CountText(int64_t count);
// "812 B", "1.5 KiB", "64.0 MiB".
std::string BytesText(int64_t bytes);
// "0.42 ms", "812 ms", "3.21 s".
std::string DurationText(absl::Duration duration);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_QUANTITY_TEXT_H_
