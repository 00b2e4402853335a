#include "engine/model/decode_inputs.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>

namespace windowkv {
namespace {

// Of the stride at the front; what follows is aligned for whole cache lines' worth of rows.
constexpr int64_t kFront = 16;

int64_t UnreadOffset(int64_t batch) { return kFront + batch; }
int64_t PositionsOffset(int64_t batch) { return kFront + 2 * batch; }
int64_t LengthsOffset(int64_t batch) { return kFront + 3 * batch; }
int64_t TablesOffset(int64_t batch, int64_t num_layers) {
  return LengthsOffset(batch) + num_layers * batch;
}

}  // namespace

DecodeInputs::DecodeInputs(at::Tensor storage, int64_t batch, int64_t num_layers)
    : storage_(std::move(storage)), batch_(batch), num_layers_(num_layers) {}

int64_t DecodeInputs::Size(int64_t batch, int64_t num_layers, int64_t table_stride) {
  return TablesOffset(batch, num_layers) + num_layers * batch * table_stride;
}

at::Tensor DecodeInputs::Tokens() const { return storage_.slice(0, kFront, kFront + batch_); }

const int32_t* DecodeInputs::positions() const {
  return storage_.const_data_ptr<int32_t>() + PositionsOffset(batch_);
}

void DecodeInputs::FillUnread(const at::Tensor& unread) const {
  const int64_t begin = UnreadOffset(batch_);
  at::Tensor tokens = Tokens();
  FillTokens(unread, storage_.slice(0, begin, begin + batch_), tokens);
}

PagedCaches DecodeInputs::Caches(int64_t layer) const {
  const int32_t* data = storage_.const_data_ptr<int32_t>();
  return {data + LengthsOffset(batch_) + layer * batch_, data + TablesOffset(batch_, num_layers_),
          data, layer * batch_};
}

at::Tensor FillDecodeInputs(const std::vector<DecodeRow>& rows, int64_t batch, int64_t num_layers,
                            at::Device device) {
  size_t stride = 1;
  for (const DecodeRow& row : rows) {
    for (int32_t layer = 0; layer < num_layers; ++layer) {
      row.cache->Grow(layer, 1);
      stride = std::max(stride, row.cache->blocks(layer).size());
    }
  }
  const int64_t size = DecodeInputs::Size(batch, num_layers, static_cast<int64_t>(stride));
  // The allocator of pinned memory gives it to nobody else before a copy out of it has ended.
  at::Tensor storage =
      at::empty({size}, at::TensorOptions(at::kInt).pinned_memory(!device.is_cpu()));
  auto* data = storage.mutable_data_ptr<int32_t>();
  std::fill_n(data, TablesOffset(batch, num_layers), 0);
  std::fill_n(data + UnreadOffset(batch), batch, kKnownToken);
  data[0] = static_cast<int32_t>(stride);
  for (size_t i = 0; i < rows.size(); ++i) {
    data[kFront + i] = rows[i].token;
    data[UnreadOffset(batch) + i] = rows[i].unread_row;
    data[PositionsOffset(batch) + i] = rows[i].position;
    int32_t* lengths = data + LengthsOffset(batch) + i;
    int32_t* table = data + TablesOffset(batch, num_layers) + i * stride;
    for (int32_t layer = 0; layer < num_layers; ++layer) {
      lengths[layer * batch] = rows[i].cache->cached_length(layer);
      std::ranges::copy(rows[i].cache->blocks(layer), table + layer * batch * stride);
    }
  }
  return storage;
}

}  // namespace windowkv
