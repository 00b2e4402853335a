#include "engine/weights/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/base/status.h"
#include "tests/engine/weights/test_files.h"

namespace windowkv {
namespace {

using testing::HasSubstr;

constexpr auto kCode = absl::StatusCode::kInvalidArgument;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

TEST(JsonReader, SameKeyInDifferentObjectsIsFine) {
  const auto document = ParseJson(R"({"a": {"b": 1}, "b": [{"b": 2}, {"b": 3}]})", "f", kCode);
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ((*document)["b"][1]["b"], 3);
}

TEST(JsonReader, MissingFileIsNotFound) {
  const auto document = ReadJsonFile(FreshTestDir() + "/none.json", kCode);
  EXPECT_EQ(document.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(document.status()), HasSubstr("none.json"));
}

TEST(JsonReader, DirectoryAndEmptyFileAreRefused) {
  const std::string dir = FreshTestDir();
  EXPECT_THAT(MessageOf(ReadJsonFile(dir, kCode).status()), HasSubstr("expected a regular file"));
  WriteFile(dir + "/empty.json", "");
  EXPECT_THAT(MessageOf(ReadJsonFile(dir + "/empty.json", kCode).status()),
              HasSubstr("line 1, column 1"));
}

TEST(JsonReader, NumbersOutsideDoubleAreRefused) {
  EXPECT_EQ(ParseJson("[1e999]", "f", kCode).status().code(), kCode);
}

TEST(JsonFields, ReadsMembersAndFallbacks) {
  const nlohmann::json document = {{"i", 3},      {"d", 0.5},     {"b", true},
                                   {"s", "text"}, {"n", nullptr}, {"o", {{"x", 1}}}};
  const auto fields = JsonFields::Of(document, "f", kCode);
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(*fields->Int("i", {0, 3}), 3);
  EXPECT_EQ(*fields->Number("i", {0, 3}), 3);
  EXPECT_EQ(*fields->Number("d", {0, 1}), 0.5);
  EXPECT_EQ(*fields->BoolOr("b", false), true);
  EXPECT_EQ(*fields->String("s"), "text");
  EXPECT_EQ(*fields->IntOr("n", 9, {0, 3}), 9);
  EXPECT_EQ(*fields->StringOr("absent", "else"), "else");
  EXPECT_EQ(*fields->Object("o")->Int("x", {1, 1}), 1);
}

TEST(JsonFields, ErrorsNameFileKeyExpectedAndFound) {
  const nlohmann::json document = {
      {"i", -3}, {"big", 18446744073709551615U}, {"d", 2.5}, {"o", {{"x", "y"}}}};
  const auto fields = JsonFields::Of(document, "dir/f.json", kCode);
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(MessageOf(fields->Int("i", {1, 9}).status()),
            "dir/f.json: i: expected an integer in [1, 9], found -3");
  EXPECT_EQ(MessageOf(fields->Int("big", {1, 9}).status()),
            "dir/f.json: big: expected an integer in [1, 9], found 18446744073709551615");
  EXPECT_EQ(MessageOf(fields->Int("d", {1, 9}).status()),
            "dir/f.json: d: expected an integer in [1, 9], found 2.5");
  EXPECT_EQ(MessageOf(fields->Number("absent", {0, 1}).status()),
            "dir/f.json: absent: expected a number in [0, 1], found nothing");
  EXPECT_EQ(MessageOf(fields->Object("o")->BoolOr("x", true).status()),
            "dir/f.json: o.x: expected true or false, found \"y\"");
  EXPECT_EQ(MessageOf(fields->Object("i").status()), "dir/f.json: i: expected an object, found -3");
}

}  // namespace
}  // namespace windowkv
