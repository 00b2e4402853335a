#ifndef WINDOWKV_CLIENT_COMMAND_LINE_FIELD_FLAG_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_FIELD_FLAG_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"

// Options that hand what they parse to a field of a protobuf message.

namespace windowkv::client {

// Lets `option` refuse what is not a T, and tell its help with it, where range and default stand.
// Text is never refused.
template <typename T>
CLI::Option* CheckNumber(CLI::Option* option) {
  if constexpr (std::is_arithmetic_v<T>) {
    std::string kind = std::is_integral_v<T> ? "a whole number" : "a number";
    if (std::is_unsigned_v<T>) {
      kind += " in [0, " + std::to_string(std::numeric_limits<T>::max()) + "]";
    }
    option->transform(CLI::Validator(
        [kind, help = option->get_description()](std::string& text) {
          // CLI11 reads -1 as the largest number, and so what is larger, and 010 as 8.
          if constexpr (std::is_integral_v<T>) {
            if (T number = 0; absl::SimpleAtoi(text, &number)) {
              text = std::to_string(number);
              return std::string();
            }
          } else if (CLI::TypeValidator<T>()(text).empty()) {
            return std::string();
          }
          return "\"" + text + "\" is not " + kind + ": " + help;
        },
        ""));
  }
  return option;
}

// An option of one value that goes straight to a field of the request.
template <typename T, typename Set>
CLI::Option* AddField(CLI::App* app, const std::string& flag, const std::string& type,
                      const std::string& help, Set set) {
  auto* option = app->add_option_function<T>(
                        flag, [set](const T& value) { set(value); }, help)
                     ->type_name(type);
  return CheckNumber<T>(option);
}

// An option that may be repeated, one value each time.
template <typename T, typename Add>
CLI::Option* AddRepeated(CLI::App* app, const std::string& flag, const std::string& type,
                         const std::string& help, Add add) {
  auto* option = app->add_option_function<std::vector<T>>(
                        flag,
                        [add](const std::vector<T>& values) {
                          for (const T& v : values) add(v);
                        },
                        help)
                     ->type_name(type)
                     ->allow_extra_args(false);
  return CheckNumber<T>(option);
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
