#include "engine/weights/checkpoint.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/status.h"
#include "engine/json/json_node.h"
#include "engine/kernels/catch_exceptions.h"

namespace windowkv {
namespace {

constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";

using NamesByShard = std::map<std::string, std::vector<std::string>>;

at::ScalarType ScalarTypeOf(WeightDtype dtype) {
  switch (dtype) {
    case WeightDtype::kFloat32:
      return at::kFloat;
    case WeightDtype::kFloat16:
      return at::kHalf;
    case WeightDtype::kBfloat16:
      return at::kBFloat16;
  }
  return at::kFloat;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// Several threads fault a mapped file in faster than one.
void CopyBytes(const void* from, int64_t bytes, char* to) {
  constexpr int64_t kGrain = int64_t{4} << 20;
  at::parallel_for(0, bytes, kGrain, [&](int64_t begin, int64_t end) {
    std::memcpy(to + begin, static_cast<const char*>(from) + begin, end - begin);
  });
}

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// A shard is a file beside the index, so a name can not lead out of the model's directory.
bool IsPlainShardName(const std::string& name) {
  return absl::EndsWith(name, ".safetensors") && name.front() != '.' &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
}

absl::StatusOr<NamesByShard> ReadWeightMap(const std::string& index_path) {
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode file,
                            JsonNode::ReadFile(index_path, absl::StatusCode::kDataLoss));
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode index, file.Object());
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode weight_map, index["weight_map"].Object());
  NamesByShard names_by_shard;
  for (const auto& [name, shard] : weight_map.value().items()) {
    if (!shard.is_string() || !IsPlainShardName(shard.get<std::string>())) {
      return weight_map[name].Expected("the name of a .safetensors file in the same directory");
    }
    names_by_shard[shard.get<std::string>()].push_back(name);
  }
  return names_by_shard;
}

}  // namespace

absl::StatusOr<Checkpoint> Checkpoint::Open(const std::string& dir) {
  Checkpoint checkpoint(dir);
  const std::string single_path = absl::StrCat(dir, "/", kSingleFile);
  const std::string index_path = absl::StrCat(dir, "/", kIndexFile);
  if (Exists(single_path)) {
    WINDOWKV_RETURN_IF_ERROR(checkpoint.OpenSingleFile(single_path));
  } else if (Exists(index_path)) {
    WINDOWKV_RETURN_IF_ERROR(checkpoint.OpenShards(index_path));
  } else {
    return absl::NotFoundError(
        absl::StrCat(dir, ": expected ", kSingleFile, " or ", kIndexFile, ", found neither"));
  }
  return checkpoint;
}

absl::Status Checkpoint::OpenSingleFile(const std::string& path) {
  WINDOWKV_ASSIGN_OR_RETURN(auto file, SafetensorsFile::Open(path));
  for (const auto& [name, view] : file->tensors()) tensors_[name] = {file.get(), &view};
  for (const auto& [name, dtype] : file->other_dtypes()) tensors_[name] = {file.get(), nullptr};
  files_.push_back(std::move(file));
  return absl::OkStatus();
}

absl::Status Checkpoint::OpenShards(const std::string& index_path) {
  WINDOWKV_ASSIGN_OR_RETURN(const NamesByShard names_by_shard, ReadWeightMap(index_path));
  for (const auto& [shard, names] : names_by_shard) {
    WINDOWKV_RETURN_IF_ERROR(AddShard(index_path, shard, names));
  }
  return absl::OkStatus();
}

absl::Status Checkpoint::AddShard(const std::string& index_path, const std::string& shard,
                                  const std::vector<std::string>& names) {
  const std::string path = absl::StrCat(dir_, "/", shard);
  auto file = SafetensorsFile::Open(path);
  if (absl::IsNotFound(file.status())) {
    return absl::NotFoundError(absl::StrCat(index_path, ": tensor \"", names.front(),
                                            "\": expected in ", shard, ", found no such file"));
  }
  WINDOWKV_RETURN_IF_ERROR(file.status());
  for (const std::string& name : names) {
    const auto view = (*file)->tensors().find(name);
    if (view != (*file)->tensors().end()) {
      tensors_[name] = {file->get(), &view->second};
    } else if ((*file)->other_dtypes().contains(name)) {
      tensors_[name] = {file->get(), nullptr};
    } else {
      return absl::DataLossError(absl::StrCat(index_path, ": tensor \"", name, "\": expected in ",
                                              shard, ", found no such tensor there"));
    }
  }
  files_.push_back(*std::move(file));
  return absl::OkStatus();
}

bool Checkpoint::Has(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }

absl::StatusOr<at::Tensor> Checkpoint::Load(std::string_view name,
                                            const std::vector<int64_t>& shape,
                                            const at::TensorOptions& options) const {
  const auto it = tensors_.find(name);
  if (it == tensors_.end()) {
    return absl::NotFoundError(absl::StrCat(dir_, ": tensor \"", ToAbsl(name),
                                            "\": expected shape ", ShapeText(shape),
                                            ", found no such tensor"));
  }
  const std::string place =
      absl::StrCat(it->second.file->path(), ": tensor \"", ToAbsl(name), "\"");
  const WeightView* view = it->second.view;
  if (view == nullptr) {
    return absl::DataLossError(absl::StrCat(place, ": expected dtype F32, F16 or BF16, found ",
                                            it->second.file->other_dtypes().find(name)->second));
  }
  if (view->shape != shape) {
    return absl::DataLossError(absl::StrCat(place, ": expected shape ", ShapeText(shape),
                                            ", found ", ShapeText(view->shape)));
  }
  at::Tensor loaded;
  const absl::Status status = CatchExceptions([&] {
    // Copied before it is converted, since the file may hold it unaligned; into pinned memory for a
    // device, which then reads it while the next tensor comes out of the file.
    const bool to_device = options.device().is_cuda();
    const at::Tensor stored =
        at::empty(shape, at::TensorOptions(ScalarTypeOf(view->dtype)).pinned_memory(to_device));
    CopyBytes(view->data, view->bytes, static_cast<char*>(stored.mutable_data_ptr()));
    loaded = stored.to(options.device(), /*non_blocking=*/to_device).to(options.dtype());
  });
  if (!status.ok()) return Annotate(status, place);
  return loaded;
}

}  // namespace windowkv
