#include "engine/kernels/rope.h"

#include <cmath>
#include <complex>
#include <string>
#include <utility>
#include <vector>

#include "tests/engine/kernels/kernel_test.h"

namespace windowkv {
namespace {

constexpr int64_t kContext = 300;
constexpr int64_t kSlots = 3;  // per target row; the kernel writes slot kSlot of each head
constexpr int64_t kSlot = 1;
constexpr double kUntouched = 99;

class RopeTest : public KernelTest {
 protected:
  struct Shape {
    int64_t num_heads;
    int64_t num_kv_heads;
    int64_t head_dim;
  };

  static double Angle(int64_t position, int64_t i, int64_t head_dim) {
    return static_cast<double>(position) *
           std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
  }

  static at::Tensor Table(int64_t head_dim) {
    at::Tensor table = at::empty({kContext, head_dim}, at::TensorOptions().dtype(at::kFloat));
    float* out = table.mutable_data_ptr<float>();
    for (int64_t p = 0; p < kContext; ++p) {
      for (int64_t i = 0; i < head_dim / 2; ++i) {
        out[p * head_dim + i] = static_cast<float>(std::cos(Angle(p, i, head_dim)));
        out[p * head_dim + head_dim / 2 + i] = static_cast<float>(std::sin(Angle(p, i, head_dim)));
      }
    }
    return table;
  }

  // x: [rows, heads * head_dim]; each pair of halves is a complex number, turned by e^(i angle).
  static at::Tensor Rotated(const at::Tensor& x, const std::vector<int32_t>& positions,
                            int64_t head_dim) {
    const at::Tensor in = x.to(at::kCPU, at::kDouble).contiguous();
    at::Tensor out = at::empty(in.sizes(), in.options());
    const double* from = in.const_data_ptr<double>();
    double* to = out.mutable_data_ptr<double>();
    const int64_t half = head_dim / 2;
    for (int64_t row = 0; row < in.size(0); ++row) {
      for (int64_t head = 0; head < in.size(1) / head_dim; ++head) {
        const int64_t at = row * in.size(1) + head * head_dim;
        for (int64_t i = 0; i < half; ++i) {
          const std::complex<double> turned = std::complex(from[at + i], from[at + half + i]) *
                                              std::polar(1.0, Angle(positions[row], i, head_dim));
          to[at + i] = turned.real();
          to[at + half + i] = turned.imag();
        }
      }
    }
    return out;
  }

  // [rows, 2, num_kv_heads, kSlots, head_dim]
  at::Tensor Store(int64_t rows, const Shape& shape) const {
    return Empty({rows, 2, shape.num_kv_heads, kSlots, shape.head_dim}).fill_(kUntouched);
  }

  // Rows of the store as a destination: slot kSlot of each.
  static KvDestination Rows(const at::Tensor& store) {
    at::Tensor k = store.select(3, kSlot).select(1, 0);
    at::Tensor v = store.select(3, kSlot).select(1, 1);
    return KvDestination::Rows(k, v);
  }

  void ExpectStored(const at::Tensor& store, const at::Tensor& k, const at::Tensor& v) {
    const at::Tensor slots = store.select(3, kSlot);  // [rows, 2, num_kv_heads, head_dim]
    ExpectClose(slots.select(1, 0).reshape(k.sizes()), k);
    EXPECT_TRUE(slots.select(1, 1).reshape(v.sizes()).equal(v));
    for (const int64_t other : {0, 2}) {
      EXPECT_TRUE((store.select(3, other) == kUntouched).all().item<bool>());
    }
  }

  std::vector<int32_t> Positions(int64_t rows) {
    std::vector<int32_t> positions;
    for (int64_t i = 0; i < rows; ++i) {
      positions.push_back(static_cast<int32_t>(random_() % kContext));
    }
    return positions;
  }

  void ExpectRotatesAndStores(const Shape& shape, int64_t rows, bool in_place) {
    SCOPED_TRACE(std::to_string(shape.num_heads) + "/" + std::to_string(shape.num_kv_heads) +
                 " heads of " + std::to_string(shape.head_dim) + ", rows " + std::to_string(rows));
    const int64_t q_width = shape.num_heads * shape.head_dim;
    const int64_t kv_width = shape.num_kv_heads * shape.head_dim;
    at::Tensor qkv = Random({rows, q_width + 2 * kv_width});
    const at::Tensor original = qkv.clone();
    const std::vector<int32_t> positions = Positions(rows);
    at::Tensor q_out = in_place ? qkv.slice(1, 0, q_width) : Empty({rows, q_width});
    const at::Tensor store = Store(rows, shape);
    RopeAndStore(qkv, Table(shape.head_dim).to(GetParam().device),
                 Ints(positions).const_data_ptr<int32_t>(), shape.num_heads, shape.num_kv_heads,
                 q_out, Rows(store));
    ExpectClose(q_out, Rotated(original.slice(1, 0, q_width), positions, shape.head_dim));
    const at::Tensor k = original.slice(1, q_width, q_width + kv_width);
    ExpectStored(store, Rotated(k, positions, shape.head_dim),
                 original.slice(1, q_width + kv_width));
  }
};

TEST_P(RopeTest, TurnsPairsByTheirPositionsAngleAndStoresKeysAndValues) {
  for (const int64_t head_dim : {2, 8, 16, 24, 64, 80, 128}) {
    for (const int64_t rows : {1, 2, 5, 17, 100}) {
      ExpectRotatesAndStores({6, 2, head_dim}, rows, /*in_place=*/false);
    }
  }
}

TEST_P(RopeTest, QueriesMayBeTurnedInPlace) {
  for (const int64_t head_dim : {8, 24, 64, 80}) {
    ExpectRotatesAndStores({3, 3, head_dim}, 4, /*in_place=*/true);
  }
}

TEST_P(RopeTest, QueriesOrKeysAloneCanBeTurned) {
  ExpectRotatesAndStores({0, 2, 24}, 5, /*in_place=*/false);
  ExpectRotatesAndStores({4, 0, 24}, 5, /*in_place=*/false);
}

TEST_P(RopeTest, KeysAndValuesGoToTheNewestSlotOfEachRowsCache) {
  constexpr int64_t kBlockSize = 4;
  const Shape shape{2, 2, 16};
  at::Tensor pool = Empty({6, 2, shape.num_kv_heads, kBlockSize, shape.head_dim}).fill_(kUntouched);
  // The second of two layers; its last row is padding.
  const at::Tensor lengths = Ints({1, 4, 7, 0});
  const at::Tensor tables = Ints({9, 9, 9, 9, 9, 9, 9, 9, 3, 9, 1, 9, 5, 0, 9, 9});
  const at::Tensor stride = Ints({2});
  const PagedCaches caches{lengths.const_data_ptr<int32_t>(), tables.const_data_ptr<int32_t>(),
                           stride.const_data_ptr<int32_t>(), /*first_row=*/4};
  const std::vector<int32_t> positions = {250, 3, 77, 0};
  const at::Tensor qkv = Random({4, 6 * shape.head_dim});
  at::Tensor q = Empty({4, 2 * shape.head_dim});
  RopeAndStore(qkv, Table(shape.head_dim).to(GetParam().device),
               Ints(positions).const_data_ptr<int32_t>(), 2, 2, q,
               KvDestination::NewestSlots(pool, caches));
  const at::Tensor k = Rotated(qkv.slice(1, 32, 64), positions, shape.head_dim);
  const std::vector<std::pair<int64_t, int64_t>> slots = {{3, 0}, {1, 3}, {0, 2}};
  for (size_t row = 0; row < slots.size(); ++row) {
    const auto& [block, slot] = slots[row];
    const auto index = static_cast<int64_t>(row);
    at::Tensor place = pool.select(0, block).select(2, slot);  // [2, num_kv_heads, head_dim]
    ExpectClose(place.select(0, 0).reshape({-1}), k.select(0, index));
    EXPECT_TRUE(place.select(0, 1).reshape({-1}).equal(qkv.select(0, index).slice(0, 64)));
    place.fill_(kUntouched);
  }
  EXPECT_TRUE((pool == kUntouched).all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Targets, RopeTest, ::testing::ValuesIn(KernelTargets()), KernelTargetName);

}  // namespace
}  // namespace windowkv
