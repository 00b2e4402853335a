#include "client/traceparent.h"

#include <regex>

namespace windowkv::client {

bool IsTraceparent(const std::string& text) {
  // Version ff and ids of zeros are not valid.
  static const std::regex& kShape =
      *new std::regex("(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}");
  return std::regex_match(text, kShape);
}

}  // namespace windowkv::client
