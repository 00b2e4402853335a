#include "engine/kernels/top_windows.h"
#include "engine/kernels/window_scores.h"

// The kernels that cache policies call when a layer is observed, which no fuzz target does. Stands
// in for windowkv::kernels in the fuzz preset.

namespace windowkv {

at::Tensor TokenScores(const at::Tensor&, const at::Tensor&, float) { return {}; }

at::Tensor WindowScores(const at::Tensor&, int32_t, WindowReduction) { return {}; }

KeptPositions TopWindows(const WindowTopK&, const at::Tensor&) { return {}; }

at::Tensor NoScores(at::Device) { return {}; }

}  // namespace windowkv
