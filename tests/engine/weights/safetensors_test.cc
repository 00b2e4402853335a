#include "engine/weights/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/engine/weights/test_files.h"

namespace windowkv {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string BytesOf(const WeightView& view) {
  return {reinterpret_cast<const char*>(view.data), static_cast<size_t>(view.bytes)};
}

TEST(SafetensorsFile, FindsTensorsWhereTheHeaderSaysTheyAre) {
  const std::string path = FreshTestDir() + "/a.safetensors";
  const std::string data = "0123456789abcdefgh";
  WriteFile(path, SafetensorsBytes(R"({"__metadata__": {"format": "pt"},
      "half": {"dtype": "F16", "shape": [1], "data_offsets": [16, 18]},
      "full": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}})",
                                   data));
  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ((*file)->tensors().size(), 2);
  const WeightView& full = (*file)->tensors().find("full")->second;
  EXPECT_THAT(full.shape, ElementsAre(2, 2));
  EXPECT_EQ(full.dtype, WeightDtype::kFloat32);
  EXPECT_EQ(full.bytes, 16);
  EXPECT_EQ(BytesOf(full), "0123456789abcdef");
  const WeightView& half = (*file)->tensors().find("half")->second;
  EXPECT_EQ(half.dtype, WeightDtype::kFloat16);
  EXPECT_EQ(BytesOf(half), "gh");
}

TEST(SafetensorsFile, LeavesOutOtherDtypesButKnowsThem) {
  const std::string path = FreshTestDir() + "/a.safetensors";
  WriteFile(path, SafetensorsBytes(R"({"ids": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
      "none": {"dtype": "BF16", "shape": [4, 0], "data_offsets": [8, 8]}})",
                                   "12345678"));
  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->tensors().size(), 1);
  EXPECT_EQ((*file)->other_dtypes().at("ids"), "I64");
}

TEST(SafetensorsFile, MissingFileIsNotFound) {
  const auto file = SafetensorsFile::Open(FreshTestDir() + "/none.safetensors");
  EXPECT_EQ(file.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("none.safetensors"));
}

TEST(SafetensorsFile, DirectoryIsRefused) {
  const auto file = SafetensorsFile::Open(FreshTestDir());
  EXPECT_EQ(file.status().code(), absl::StatusCode::kDataLoss);
}

struct BadFile {
  const char* name;
  std::string bytes;
  std::string says;
};

class SafetensorsBadFile : public testing::TestWithParam<BadFile> {};

TEST_P(SafetensorsBadFile, IsRefusedWithTheReason) {
  const std::string path = FreshTestDir() + "/bad.safetensors";
  WriteFile(path, GetParam().bytes);
  const auto file = SafetensorsFile::Open(path);
  EXPECT_EQ(file.status().code(), absl::StatusCode::kDataLoss) << file.status();
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("bad.safetensors: "));
  EXPECT_THAT(std::string(file.status().message()), HasSubstr(GetParam().says));
}

// One F32 tensor "w" as its header's members say, over eight bytes of data.
std::string OneTensor(const std::string& members) {
  return SafetensorsBytes("{\"w\": {" + members + "}}", "12345678");
}

std::string TwoTensors(const std::string& first, const std::string& second) {
  return SafetensorsBytes(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": )" + first +
                              R"(}, "b": {"dtype": "F32", "shape": [1], "data_offsets": )" +
                              second + "}}",
                          "12345678");
}

std::string Nested(int levels) {
  return SafetensorsBytes(std::string(levels, '[') + std::string(levels, ']'), "");
}

constexpr char kGood[] = R"("dtype": "F32", "shape": [2], "data_offsets": [0, 8])";

INSTANTIATE_TEST_SUITE_P(
    All, SafetensorsBadFile,
    testing::Values(
        BadFile{"Empty", "", "expected at least 8 bytes, found 0"},
        BadFile{"ShortLength", "1234567", "expected at least 8 bytes, found 7"},
        BadFile{"TruncatedHeader", OneTensor(kGood).substr(0, 30),
                "expected a header of at most 22 bytes, found 61"},
        BadFile{"HugeHeader", std::string(8, '\xff') + "{}",
                "expected a header of at most 2 bytes, found 18446744073709551615"},
        BadFile{"TruncatedData", OneTensor(kGood).substr(0, OneTensor(kGood).size() - 1),
                "tensor \"w\": data_offsets: expected [begin, end] with begin <= end <= 7"},
        BadFile{"TrailingData", OneTensor(kGood) + "x",
                "expected 8 bytes of tensors after the header, found 9"},
        BadFile{"BrokenJson", SafetensorsBytes("{\"w\": ", ""), "parse error"},
        BadFile{"NotUtf8", SafetensorsBytes("{\"\xff\": 1}", ""), "invalid"},
        BadFile{"DeepNesting", Nested(100000), "nesting of at most 64 levels"},
        BadFile{"NotAnObject", SafetensorsBytes("[]", ""), "header: expected an object, found []"},
        BadFile{"TensorNotAnObject", SafetensorsBytes("{\"w\": 3}", ""),
                "tensor \"w\": expected an object, found 3"},
        BadFile{"DuplicateTensor",
                SafetensorsBytes(R"({"w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]},
                                     "w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}})",
                                 ""),
                "key \"w\": expected once in its object, found twice"},
        BadFile{"DuplicateMember", OneTensor(std::string(kGood) + ", \"dtype\": \"F16\""),
                "key \"dtype\""},
        BadFile{"NoDtype", OneTensor(R"("shape": [2], "data_offsets": [0, 8])"),
                "tensor \"w\": dtype: expected a string, found nothing"},
        BadFile{"UnknownDtype",
                OneTensor(R"("dtype": "F31", "shape": [2], "data_offsets": [0, 8])"),
                "found \"F31\""},
        BadFile{"NegativeShape",
                OneTensor(R"("dtype": "F32", "shape": [-2], "data_offsets": [0, 8])"),
                "tensor \"w\": shape: expected an array of non-negative integers, found [-2]"},
        BadFile{"FractionalShape",
                OneTensor(R"("dtype": "F32", "shape": [2.5], "data_offsets": [0, 8])"),
                "found [2.5]"},
        BadFile{"NoShape", OneTensor(R"("dtype": "F32", "data_offsets": [0, 8])"),
                "shape: expected an array of non-negative integers, found nothing"},
        BadFile{"OverflowingShape",
                OneTensor(R"("dtype": "F32", "shape": [4294967296, 4294967296, 4294967296],
                             "data_offsets": [0, 8])"),
                "expected a size below 2^63 bytes for F32 of shape [4294967296, 4294967296, "
                "4294967296], found data_offsets of 8 bytes"},
        BadFile{"ShapeNotMatchingTheRange",
                OneTensor(R"("dtype": "F32", "shape": [3], "data_offsets": [0, 8])"),
                "tensor \"w\": expected 12 bytes for F32 of shape [3], found data_offsets of 8 "
                "bytes"},
        BadFile{"NegativeOffset",
                OneTensor(R"("dtype": "F32", "shape": [2], "data_offsets": [-8, 0])"),
                "data_offsets: expected [begin, end]"},
        BadFile{"ReversedOffsets",
                OneTensor(R"("dtype": "F32", "shape": [2], "data_offsets": [8, 0])"),
                "found [8,0]"},
        BadFile{"ThreeOffsets",
                OneTensor(R"("dtype": "F32", "shape": [2], "data_offsets": [0, 4, 8])"),
                "found [0,4,8]"},
        BadFile{"OffsetOutsideTheFile",
                OneTensor(R"("dtype": "F32", "shape": [2], "data_offsets": [4, 12])"),
                "end <= 8, the file's bytes after the header, found [4,12]"},
        BadFile{"HugeOffset", OneTensor(R"("dtype": "F32", "shape": [2],
                             "data_offsets": [0, 18446744073709551615])"),
                "found [0,18446744073709551615]"},
        BadFile{"Overlap", TwoTensors("[0, 4]", "[2, 6]"),
                "tensor \"b\": expected data_offsets to "
                "begin at 4, where the tensor before it "
                "ends, found 2 (overlap)"},
        BadFile{"SameRange", TwoTensors("[4, 8]", "[4, 8]"), "found 4 (gap)"},
        BadFile{"MetadataNotText", SafetensorsBytes(R"({"__metadata__": {"format": 1}})", ""),
                "__metadata__.format: expected a string, found 1"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace windowkv
