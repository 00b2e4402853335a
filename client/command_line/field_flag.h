#ifndef WINDOWKV_CLIENT_COMMAND_LINE_FIELD_FLAG_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_FIELD_FLAG_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"

// Options that hand what they parse to a field of a protobuf message.

namespace windowkv::client {

// An option of one value that goes straight to a field of the request.
template <typename T, typename Set>
CLI::Option* AddField(CLI::App* app, const std::string& flag, const std::string& type,
                      const std::string& help, Set set) {
  return app
      ->add_option_function<T>(
          flag, [set](const T& value) { set(value); }, help)
      ->type_name(type);
}

// An option that may be repeated, one value each time.
template <typename T, typename Add>
CLI::Option* AddRepeated(CLI::App* app, const std::string& flag, const std::string& type,
                         const std::string& help, Add add) {
  return app
      ->add_option_function<std::vector<T>>(
          flag,
          [add](const std::vector<T>& values) {
            for (const T& v : values) add(v);
          },
          help)
      ->type_name(type)
      ->allow_extra_args(false);
}

// "A:B" as two numbers.
template <typename Second>
std::optional<std::pair<int32_t, Second>> ParsePair(const std::string& text) {
  const size_t colon = text.find(':');
  std::pair<int32_t, Second> pair;
  if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(0, colon), &pair.first)) {
    return std::nullopt;
  }
  const std::string second = text.substr(colon + 1);
  bool parsed = false;
  if constexpr (std::is_floating_point_v<Second>) {
    parsed = absl::SimpleAtof(second, &pair.second);
  } else {
    parsed = absl::SimpleAtoi(second, &pair.second);
  }
  if (!parsed) return std::nullopt;
  return pair;
}

// Refuses what ParsePair cannot read; `form` says what was expected.
template <typename Second>
CLI::Validator PairCheck(const std::string& form) {
  return CLI::Validator(
      [form](std::string& text) {
        return ParsePair<Second>(text) ? std::string() : "\"" + text + "\" is not " + form;
      },
      "");
}

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_FIELD_FLAG_H_
