#include "client/command_line/enum_names.h"

#include "absl/strings/ascii.h"

namespace windowkv::client {
namespace {

// What all value names of a type begin with: "CACHE_POLICY_" from CACHE_POLICY_UNSPECIFIED.
size_t PrefixSize(const google::protobuf::EnumDescriptor& type) {
  return type.value(0)->name().size() - std::string("UNSPECIFIED").size();
}

}  // namespace

std::string EnumName(const google::protobuf::EnumDescriptor& type, int value) {
  const auto* descriptor = type.FindValueByNumber(value);
  if (descriptor == nullptr) return std::to_string(value);  // from a newer server
  return absl::AsciiStrToLower(descriptor->name().substr(PrefixSize(type)));
}

std::vector<std::string> EnumNames(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 1; i < type.value_count(); ++i) {
    names.push_back(EnumName(type, type.value(i)->number()));
  }
  return names;
}

std::optional<int> EnumValue(const google::protobuf::EnumDescriptor& type,
                             const std::string& name) {
  for (int i = 1; i < type.value_count(); ++i) {
    const int number = type.value(i)->number();
    if (EnumName(type, number) == absl::AsciiStrToLower(name)) return number;
  }
  return std::nullopt;
}

}  // namespace windowkv::client
