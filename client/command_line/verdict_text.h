#ifndef WINDOWKV_CLIENT_COMMAND_LINE_VERDICT_TEXT_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_VERDICT_TEXT_H_

#include <windowkv/v1/classifier.pb.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace windowkv::client {

// What a classifier found of a text of `characters`, and what of the text it read, as a small table
// for people, several lines. `model` may be empty.
std::string VerdictText(const v1::TaskClassification& verdict, int64_t characters,
                        const std::string& model);

// The Unicode code points of valid UTF-8.
int64_t CountCharacters(std::string_view text);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_VERDICT_TEXT_H_
