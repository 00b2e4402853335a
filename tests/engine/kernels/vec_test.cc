#include "engine/kernels/vec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "engine/kernels/exp.h"
#include "engine/kernels/isa.h"

// The lane arithmetic that all kernels share, compiled for each instruction set that this processor
// has.

namespace windowkv {
namespace {

struct ExpArgs {
  const float* x;
  float* out;
};

struct ExpBody {
  WINDOWKV_KERNEL_INLINE static void Run(const ExpArgs& a, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kLanes) Store(a.out + i, Exp(Load(a.x + i)));
  }
};

struct Exp2Body {
  WINDOWKV_KERNEL_INLINE static void Run(const ExpArgs& a, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kLanes) {
      Store(a.out + i, Exp2OfNonPositive(Load(a.x + i)));
    }
  }
};

struct RoundArgs {
  const float* x;
  c10::BFloat16* narrow;
  float* wide;
};

struct RoundBody {
  WINDOWKV_KERNEL_INLINE static void Run(const RoundArgs& a, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kLanes) {
      Store(a.narrow + i, Load(a.x + i));
      Store(a.wide + i, Load(a.narrow + i));
    }
  }
};

struct TransposeArgs {
  const uint32_t* x;
  uint32_t* out;
};

struct TransposeBody {
  WINDOWKV_KERNEL_INLINE static void Run(const TransposeArgs& a, int64_t begin, int64_t end) {
    UintVec rows[kLanes];
    std::memcpy(rows, a.x, sizeof(rows));
    Transpose(rows);
    std::memcpy(a.out, rows, sizeof(rows));
  }
};

struct SumArgs {
  const float* x;
  float* sum;
};

struct SumBody {
  WINDOWKV_KERNEL_INLINE static void Run(const SumArgs& a, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) a.sum[i] = Sum(Load(a.x + i * kLanes));
  }
};

template <typename T>
struct PairArgs {
  const T* x;
  float* out;
};

template <typename T>
struct PairBody {
  WINDOWKV_KERNEL_INLINE static void Run(const PairArgs<T>& a, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 2 * kLanes) {
      Vec first;
      Vec second;
      LoadPair(a.x + i, first, second);
      Store(a.out + i, first);
      Store(a.out + i + kLanes, second);
      RestoreOrder<T>(a.out + i);
    }
  }
};

template <typename Body, typename Args>
RangeFunction<Args> VariantFor(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return &RunBaseline<Body, Args>;
    case Isa::kAvx2:
      return &RunAvx2<Body, Args>;
    case Isa::kAvx512:
    case Isa::kAvx512Bf16:
      return &RunAvx512<Body, Args>;
  }
  return &RunBaseline<Body, Args>;
}

class VecTest : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > BestIsa()) GTEST_SKIP() << "this processor lacks the instruction set";
  }
};

template <typename Body>
void ExpectWithinUnits(int units, Isa isa, std::vector<float> x, double (*function)(double)) {
  while (x.size() % kLanes != 0) x.push_back(0);
  std::vector<float> out(x.size());
  VariantFor<Body, ExpArgs>(isa)({x.data(), out.data()}, 0, static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = function(double{x[i]});
    const float rounded = static_cast<float>(expected);
    const double unit = std::nextafter(rounded, std::numeric_limits<float>::infinity()) - rounded;
    ASSERT_LE(std::abs(out[i] - expected), units * unit) << "at " << x[i];
  }
}

TEST_P(VecTest, ExpIsWithinTwoUnitsInTheLastPlace) {
  std::vector<float> x = {-87.0f, 88.0f, 0.0f, -0.0f, 1.0f, -1.0f, 1e-30f, 0.34657f, -0.34658f};
  for (float value = -87; value <= 88; value += 0.00171f) x.push_back(value);
  ExpectWithinUnits<ExpBody>(2, GetParam(), std::move(x), std::exp);
}

TEST_P(VecTest, Exp2OfNonPositiveIsWithinThreeUnitsInTheLastPlace) {
  std::vector<float> x = {-126.0f, 0.0f, -0.0f, -1.0f, -0.5f, -1e-30f, -0.49999f, -0.50001f};
  for (float value = -126; value <= 0; value += 0.00171f) x.push_back(value);
  ExpectWithinUnits<Exp2Body>(3, GetParam(), std::move(x), std::exp2);
}

TEST_P(VecTest, Exp2OfNonPositiveIsOneAtZeroAndAlmostNothingFarBelow) {
  std::vector<float> x(kLanes, 0);
  x[0] = -std::numeric_limits<float>::infinity();
  x[1] = -1e6f;
  std::vector<float> out(kLanes);
  VariantFor<Exp2Body, ExpArgs>(GetParam())({x.data(), out.data()}, 0, kLanes);
  EXPECT_LT(out[0], 1.2e-38f);
  EXPECT_EQ(out[0], out[1]);
  EXPECT_EQ(out[2], 1);
}

TEST_P(VecTest, ExpIsClampedOutsideItsRange) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> x(kLanes, 0);
  x[0] = -infinity;
  x[1] = -1e6f;
  x[2] = 200;
  std::vector<float> out(kLanes);
  VariantFor<ExpBody, ExpArgs>(GetParam())({x.data(), out.data()}, 0, kLanes);
  EXPECT_LT(out[0], 1e-37f);
  EXPECT_EQ(out[0], out[1]);
  EXPECT_NEAR(out[2] / std::exp(88.0), 1, 1e-6);
  EXPECT_EQ(out[3], 1);
}

TEST_P(VecTest, Bfloat16StoresRoundToNearestEven) {
  std::vector<float> x;
  for (uint32_t high = 0; high < 0x7f80; high += 7) {
    for (const uint32_t low : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      for (const uint32_t sign : {0u, 0x80000000u}) {
        const uint32_t bits = sign | high << 16 | low;
        float value = 0;
        std::memcpy(&value, &bits, sizeof(value));
        x.push_back(value);
      }
    }
  }
  x.push_back(std::numeric_limits<float>::infinity());
  while (x.size() % kLanes != 0) x.push_back(0);
  std::vector<c10::BFloat16> narrow(x.size());
  std::vector<float> wide(x.size());
  VariantFor<RoundBody, RoundArgs>(GetParam())({x.data(), narrow.data(), wide.data()}, 0,
                                               static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(narrow[i].x, c10::BFloat16(x[i]).x) << x[i];
    ASSERT_EQ(wide[i], float(narrow[i]));
  }
}

TEST_P(VecTest, SumAddsEveryLaneOnce) {
  std::vector<float> x(kLanes * kLanes, 0);
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    x[lane * kLanes + lane] = static_cast<float>(lane + 1);
  }
  std::vector<float> sums(kLanes);
  VariantFor<SumBody, SumArgs>(GetParam())({x.data(), sums.data()}, 0, kLanes);
  for (int64_t lane = 0; lane < kLanes; ++lane) EXPECT_EQ(sums[lane], lane + 1);
}

TEST_P(VecTest, TransposeTurnsRowsIntoColumns) {
  std::vector<uint32_t> x(kLanes * kLanes);
  std::iota(x.begin(), x.end(), 0);
  std::vector<uint32_t> out(x.size());
  VariantFor<TransposeBody, TransposeArgs>(GetParam())({x.data(), out.data()}, 0, 1);
  for (int64_t i = 0; i < kLanes; ++i) {
    for (int64_t j = 0; j < kLanes; ++j) ASSERT_EQ(out[i * kLanes + j], x[j * kLanes + i]);
  }
}

template <typename T>
void ExpectOrdered(Isa isa) {
  std::vector<T> x;
  for (int i = 0; i < 4 * kLanes; ++i)
    x.push_back(static_cast<T>(0.5f * static_cast<float>(i) - 9));
  std::vector<float> out(x.size());
  VariantFor<PairBody<T>, PairArgs<T>>(isa)({x.data(), out.data()}, 0,
                                            static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(out[i], float(x[i])) << i;
}

TEST_P(VecTest, PairsComeBackInOrder) {
  ExpectOrdered<float>(GetParam());
  ExpectOrdered<c10::BFloat16>(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Variants, VecTest,
                         ::testing::Values(Isa::kBaseline, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& info) {
                           switch (info.param) {
                             case Isa::kBaseline:
                               return "Baseline";
                             case Isa::kAvx2:
                               return "Avx2";
                             default:
                               return "Avx512";
                           }
                         });

}  // namespace
}  // namespace windowkv
