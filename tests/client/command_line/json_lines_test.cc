#include "client/command_line/json_lines.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace windowkv::client {
namespace {

// Texts, and messages of errors in "<>".
std::vector<std::string> Read(const std::string& file) {
  std::istringstream in(file);
  JsonLines lines(&in);
  std::vector<std::string> read;
  while (const auto text = lines.Next()) {
    if (!text->ok()) {
      EXPECT_TRUE(absl::IsInvalidArgument(text->status()));
    }
    read.push_back(text->ok() ? **text : "<" + std::string(text->status().message()) + ">");
  }
  return read;
}

using Texts = std::vector<std::string>;

TEST(JsonLinesTest, EachLineIsAText) {
  EXPECT_EQ(Read(""), Texts());
  EXPECT_EQ(Read("{\"text\": \"a\\nb\", \"id\": 7}\r\n{\"text\": \"\"}\n"), Texts({"a\nb", ""}));
  EXPECT_EQ(Read("{\"text\": \"no line end\"}"), Texts({"no line end"}));
}

TEST(JsonLinesTest, AWrongLineIsAnErrorAndTheNextIsRead) {
  const std::string no_object = "<the line is not a JSON object in UTF-8>";
  EXPECT_EQ(Read("\n[1]\n{\"text\": \"a\n{\"text\": \"\xff\"}\n{\"text\": \"b\"}\n"),
            Texts({no_object, no_object, no_object, no_object, "b"}));
  EXPECT_EQ(Read("{}\n{\"text\": 7}"), Texts({"<text is not set, must be a string>",
                                              "<text is of type number, must be a string>"}));
}

TEST(JsonLinesTest, ALineThatIsTooLongIsSkipped) {
  const std::string longest =
      "{\"text\": \"" + std::string(JsonLines::kMaxLineBytes - 12, 'a') + "\"}";
  ASSERT_EQ(longest.size(), JsonLines::kMaxLineBytes);
  const Texts read = Read(longest + "\n" + longest + " \n{\"text\": \"b\"}\n");
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0].size(), JsonLines::kMaxLineBytes - 12);
  EXPECT_EQ(read[1], "<the line is longer than 15728640 bytes>");
  EXPECT_EQ(read[2], "b");
}

}  // namespace
}  // namespace windowkv::client
