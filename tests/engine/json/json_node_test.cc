#include "engine/json/json_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "engine/base/status.h"

namespace windowkv {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

JsonNode Parsed(std::string_view text) {
  absl::StatusOr<JsonNode> root = JsonNode::Parse(text, "dir/f.json");
  EXPECT_TRUE(root.ok()) << root.status();
  return *std::move(root);
}

TEST(JsonNodeTest, ReadsMembersElementsAndFallbacks) {
  const JsonNode root =
      Parsed(R"({"i": 3, "d": 0.5, "b": true, "s": "text", "n": null, "o": {"x": [1, 7]}})");
  EXPECT_EQ(*root["i"].Int({0, 3}), 3);
  EXPECT_EQ(*root["i"].Number({0, 3}), 3);
  EXPECT_EQ(*root["d"].Number({0, 1}), 0.5);
  EXPECT_EQ(*root["b"].BoolOr(false), true);
  EXPECT_EQ(*root["s"].String(), "text");
  EXPECT_EQ(*root["n"].IntOr(9, {0, 3}), 9);
  EXPECT_EQ(*root["n"].NumberOr(0.25, {0, 3}), 0.25);
  EXPECT_EQ(*root["absent"].StringOr("else"), "else");
  EXPECT_EQ(*root["absent"].BoolOr(true), true);
  EXPECT_EQ(root["o"].Object()->size(), 1u);
  EXPECT_EQ(*root["o"]["x"][1].Int({1, 7}), 7);
}

TEST(JsonNodeTest, WhatLiesBelowAnAbsentMemberIsAbsent) {
  const JsonNode root = Parsed(R"({"s": "text"})");
  EXPECT_TRUE(root["none"]["x"].is_null());
  EXPECT_TRUE(root["s"]["x"].is_null());
  EXPECT_EQ(root["none"].size(), 0u);
  EXPECT_EQ(root["none"].string(), nullptr);
}

TEST(JsonNodeTest, ErrorsNameFilePlaceExpectedAndFound) {
  const JsonNode root =
      Parsed(R"({"i": -3, "big": 18446744073709551615, "d": 2.5, "o": {"x": ["y"]}})");
  EXPECT_EQ(MessageOf(root["i"].Int({1, 9}).status()),
            "dir/f.json: i: expected an integer in [1, 9], found -3");
  EXPECT_EQ(MessageOf(root["big"].Int({1, 9}).status()),
            "dir/f.json: big: expected an integer in [1, 9], found 18446744073709551615");
  EXPECT_EQ(MessageOf(root["d"].Int({1, 9}).status()),
            "dir/f.json: d: expected an integer in [1, 9], found 2.5");
  EXPECT_EQ(MessageOf(root["absent"].Number({0, 1}).status()),
            "dir/f.json: absent: expected a number in [0, 1], found nothing");
  EXPECT_EQ(MessageOf(root["o"]["x"][0].BoolOr(true).status()),
            "dir/f.json: o.x[0]: expected true or false, found \"y\"");
  EXPECT_EQ(MessageOf(root["o"].String().status()),
            "dir/f.json: o: expected a string, found {\"x\":[\"y\"]}");
  EXPECT_EQ(MessageOf(root["i"].Object().status()), "dir/f.json: i: expected an object, found -3");
  EXPECT_EQ(MessageOf(root["o"].WithSource("tensor w")["x"].Expected("a shape")),
            "tensor w: x: expected a shape, found [\"y\"]");
}

TEST(JsonNodeTest, ErrorsHaveTheCodeOfTheRootOrAreUnimplemented) {
  const auto root = JsonNode::Parse(R"({"o": [1]})", "f", absl::StatusCode::kDataLoss);
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ((*root)["o"][0].String().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ((*root)["o"].WithSource("g")[0].String().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ((*root)["o"].Unsupported("2").code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(JsonNode::Parse("{", "f", absl::StatusCode::kDataLoss).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(JsonNodeTest, LongValuesAreCutBetweenCharacters) {
  const std::string letters = "a" + [] {
    std::string text;
    for (int i = 0; i < 100; ++i) text += "é";
    return text;
  }();
  const JsonNode root = Parsed("[\"" + letters + "\", [1, 2, 3, 4, 5, 6, 7, 8, 9]]");
  EXPECT_THAT(MessageOf(root[0].Expected("less")), EndsWith("é…"));
  EXPECT_THAT(MessageOf(root[1].Expected("less")), EndsWith("found an array of 9"));
}

TEST(JsonNodeTest, SameKeyInDifferentObjectsIsFineAndTwiceInOneIsNot) {
  const JsonNode root = Parsed(R"({"a": {"b": 1}, "b": [{"b": 2}, {"b": 3}]})");
  EXPECT_EQ(*root["b"][1]["b"].Int({0, 9}), 3);
  EXPECT_EQ(MessageOf(JsonNode::Parse(R"({"a": {"b": 1, "b": 1}})", "f").status()),
            "f: key \"b\": expected once in its object, found twice");
}

TEST(JsonNodeTest, NestsUpTo64Levels) {
  const auto nested = [](int levels) {
    return JsonNode::Parse(std::string(levels, '[') + std::string(levels, ']'), "f").status();
  };
  EXPECT_TRUE(nested(64).ok());
  EXPECT_EQ(MessageOf(nested(65)), "f: expected nesting of at most 64 levels, found more");
  EXPECT_FALSE(nested(1'000'000).ok());
}

TEST(JsonNodeTest, NumbersOutsideDoubleAreRefused) {
  EXPECT_EQ(JsonNode::Parse("[1e999]", "f").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(JsonNodeTest, AFileIsThereOrOptional) {
  const std::string path = testing::TempDir() + "windowkv_json_node_none.json";
  EXPECT_EQ(JsonNode::ReadFile(path).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(JsonNode::ReadFile(path).status()), HasSubstr("node_none.json"));
  const auto optional = JsonNode::ReadOptionalFile(path);
  ASSERT_TRUE(optional.ok()) << optional.status();
  EXPECT_TRUE(optional->is_null());
}

TEST(JsonNodeTest, DirectoryAndEmptyFileAreRefused) {
  EXPECT_THAT(MessageOf(JsonNode::ReadFile(testing::TempDir()).status()),
              HasSubstr("expected a regular file"));
  const std::string path = testing::TempDir() + "windowkv_json_node_empty.json";
  std::ofstream(path).close();
  EXPECT_THAT(MessageOf(JsonNode::ReadFile(path).status()),
              HasSubstr(path + ": expected JSON, found parse error at line 1, column 1"));
  EXPECT_FALSE(JsonNode::ReadOptionalFile(path).ok());
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace windowkv
