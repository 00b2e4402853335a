#ifndef WINDOWKV_CLIENT_QUALITY_QUALITY_PLOT_H_
#define WINDOWKV_CLIENT_QUALITY_QUALITY_PLOT_H_

#include <optional>
#include <string>
#include <vector>

namespace windowkv::client {

// A line plot of exact match over the kept share of the KV cache.
struct QualityPlot {
  struct Point {
    // In (0, 1]; points with none are left out.
    double kept_share = 0;
    // In [0, 1].
    double exact_match = 0;
    // Shown when the pointer rests on the point.
    std::string note;
  };
  struct Series {
    std::string name;
    std::vector<Point> points;
  };

  std::string title;
  std::string subtitle;
  // Exact match of the full cache, a dashed line across.
  std::optional<double> reference;
  std::vector<Series> series;

  // A whole SVG document: logarithmic x axis in powers of two, a legend, colours for light and dark
  // surroundings, a title and a description for screen readers. Any text may stand in the fields.
  std::string ToSvg() const;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_QUALITY_QUALITY_PLOT_H_
