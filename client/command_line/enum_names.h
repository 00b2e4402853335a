#ifndef WINDOWKV_CLIENT_COMMAND_LINE_ENUM_NAMES_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_ENUM_NAMES_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_enum_reflection.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

// Protobuf enums as people type and read them: STRATEGY_TOP_HALF_MEAN is "top_half_mean".

namespace windowkv::client {

std::string EnumName(const google::protobuf::EnumDescriptor& type, int value);
// Every name but UNSPECIFIED's.
std::vector<std::string> EnumNames(const google::protobuf::EnumDescriptor& type);
std::optional<int> EnumValue(const google::protobuf::EnumDescriptor& type, const std::string& name);

template <typename Enum>
std::string EnumName(Enum value) {
  return EnumName(*google::protobuf::GetEnumDescriptor<Enum>(), value);
}

// Adds an option that takes one name of `Enum` and hands its value to `set`.
template <typename Enum>
CLI::Option* AddEnumFlag(CLI::App* app, const std::string& flag, const std::string& help,
                         std::function<void(Enum)> set) {
  const auto* type = google::protobuf::GetEnumDescriptor<Enum>();
  return app
      ->add_option_function<std::string>(
          flag,
          [type, set](const std::string& name) {
            set(static_cast<Enum>(EnumValue(*type, name).value_or(0)));
          },
          help)
      ->transform(CLI::IsMember(EnumNames(*type), CLI::ignore_case));
}

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_ENUM_NAMES_H_
