#include "client/quality/quality_plot.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace windowkv::client {
namespace {

// All lengths in SVG user units, which are pixels where nothing scales the picture.
constexpr double kWidth = 760;
constexpr double kHeight = 440;
constexpr double kLeft = 64;
constexpr double kRight = 590;  // the legend stands right of it
constexpr double kTop = 64;
constexpr double kBottom = 380;
constexpr double kLegendLeft = 612;

// Tell apart on white and on black, and for most colour-blind eyes; the markers do the rest.
constexpr const char* kColors[] = {"#e4572e", "#2a9df4", "#1fa774",
                                   "#b16cea", "#c99700", "#8a8f98"};

constexpr char kStyle[] = R"(<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
.title { font-size: 16px; font-weight: 600; }
.quiet { fill: #59636e; font-size: 12px; }
.paper { fill: #ffffff; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.axis { stroke: #59636e; stroke-width: 1; }
.reference { stroke: #59636e; stroke-width: 1.5; stroke-dasharray: 6 4; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.quiet { fill: #9198a1; }
.paper { fill: #0d1117; }
.grid { stroke: #30363d; }
.axis, .reference { stroke: #9198a1; }
}
</style>
)";

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&apos;"}});
}

// Powers of two between which all points lie.
struct Exponents {
  int lowest = 0;
  int highest = 0;
};

Exponents ExponentsOf(const std::vector<QualityPlot::Series>& series) {
  double lowest = 1;
  double highest = 0;
  for (const auto& line : series) {
    for (const auto& point : line.points) {
      if (!(point.kept_share > 0)) continue;
      lowest = std::min(lowest, point.kept_share);
      highest = std::max(highest, point.kept_share);
    }
  }
  if (!(highest > 0)) return {-1, 0};
  Exponents exponents;
  exponents.highest = std::min(static_cast<int>(std::ceil(std::log2(highest))), 0);
  exponents.lowest = std::max(static_cast<int>(std::floor(std::log2(lowest))), -20);
  exponents.lowest = std::min(exponents.lowest, exponents.highest - 1);
  return exponents;
}

// Draws one plot.
class Drawing {
 public:
  explicit Drawing(const QualityPlot& plot) : plot_(plot), range_(ExponentsOf(plot.series)) {}

  std::string Draw() {
    Head();
    Axes();
    if (plot_.reference) Reference(*plot_.reference);
    // The first line lies on top.
    for (size_t i = plot_.series.size(); i > 0; --i) Line(i - 1);
    for (size_t i = 0; i < plot_.series.size(); ++i) LegendEntry(i);
    svg_ += "</svg>\n";
    return std::move(svg_);
  }

 private:
  double X(double share) const {
    const double exponent = std::clamp(std::log2(share), static_cast<double>(range_.lowest),
                                       static_cast<double>(range_.highest));
    return kLeft + (kRight - kLeft) * (exponent - range_.lowest) / (range_.highest - range_.lowest);
  }
  static double Y(double exact) { return kBottom - (kBottom - kTop) * std::clamp(exact, 0., 1.); }
  static const char* Color(size_t series) { return kColors[series % std::size(kColors)]; }

  void Text(double x, double y, const char* attributes, const std::string& text) {
    absl::StrAppendFormat(&svg_, "<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, attributes,
                          Escaped(text));
  }
  void Stroke(const char* style, double x1, double y1, double x2, double y2) {
    absl::StrAppendFormat(&svg_,
                          "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                          style, x1, y1, x2, y2);
  }

  void Head() {
    absl::StrAppendFormat(
        &svg_,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
        "viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-labelledby=\"title desc\">\n",
        kWidth, kHeight, kWidth, kHeight);
    absl::StrAppend(&svg_, "<title id=\"title\">", Escaped(plot_.title), "</title>\n",
                    "<desc id=\"desc\">", Escaped(Description()), "</desc>\n", kStyle);
    absl::StrAppendFormat(&svg_,
                          "<rect class=\"paper\" width=\"%.0f\" height=\"%.0f\" rx=\"8\"/>\n",
                          kWidth, kHeight);
    Text(kLeft, 28, "class=\"title\"", plot_.title);
    Text(kLeft, 48, "class=\"quiet\"", plot_.subtitle);
  }

  // The figures in words, for who cannot see the lines.
  std::string Description() const {
    std::string text = plot_.subtitle;
    if (plot_.reference) absl::StrAppendFormat(&text, ". full cache: %.2f", *plot_.reference);
    for (const auto& line : plot_.series) {
      absl::StrAppend(&text, ". ", line.name, ":");
      for (const auto& point : line.points) {
        absl::StrAppendFormat(&text, " %.2f at %.3g %%;", point.exact_match,
                              100 * point.kept_share);
      }
    }
    return text;
  }

  void Axes() {
    for (int fifth = 0; fifth <= 5; ++fifth) {
      const double y = Y(fifth / 5.0);
      Stroke(fifth == 0 ? "axis" : "grid", kLeft, y, kRight, y);
      Text(kLeft - 8, y + 4, "text-anchor=\"end\"", absl::StrFormat("%.1f", fifth / 5.0));
    }
    // No more than eight names fit beside each other.
    const int step = (range_.highest - range_.lowest + 7) / 8;
    for (int exponent = range_.highest; exponent >= range_.lowest; exponent -= step) {
      const double x = X(std::exp2(exponent));
      Stroke("grid", x, kTop, x, kBottom);
      Text(x, kBottom + 20, "text-anchor=\"middle\"",
           absl::StrFormat("%.3g %%", 100 * std::exp2(exponent)));
    }
    Text((kLeft + kRight) / 2, kBottom + 44, "text-anchor=\"middle\"",
         "KV cache kept, share of the full cache (logarithmic)");
    const double middle = (kTop + kBottom) / 2;
    const std::string turned =
        absl::StrFormat("text-anchor=\"middle\" transform=\"rotate(-90 18 %.1f)\"", middle);
    Text(18, middle, turned.c_str(), "exact match");
  }

  void Reference(double exact) {
    Stroke("reference", kLeft, Y(exact), kRight, Y(exact));
    const double y = LegendY(plot_.series.size());
    Stroke("reference", kLegendLeft, y, kLegendLeft + 28, y);
    Text(kLegendLeft + 36, y + 4, "class=\"name\"", "full");
  }

  void Line(size_t series) {
    std::string path;
    for (const auto& point : plot_.series[series].points) {
      if (!(point.kept_share > 0)) continue;
      absl::StrAppendFormat(&path, "%s%.1f,%.1f", path.empty() ? "" : " ", X(point.kept_share),
                            Y(point.exact_match));
    }
    absl::StrAppendFormat(&svg_, "<polyline class=\"line\" stroke=\"%s\" points=\"%s\"/>\n",
                          Color(series), path);
    for (const auto& point : plot_.series[series].points) {
      if (point.kept_share > 0) {
        Marker(series, X(point.kept_share), Y(point.exact_match), point.note);
      }
    }
  }

  // A shape of its own for each of five series in a row.
  void Marker(size_t series, double x, double y, const std::string& note) {
    absl::StrAppendFormat(&svg_,
                          "<g class=\"point\" fill=\"%s\" transform=\"translate(%.1f %.1f)\">",
                          Color(series), x, y);
    static constexpr const char* kShapes[] = {
        "<circle r=\"4.5\"/>", "<rect x=\"-4\" y=\"-4\" width=\"8\" height=\"8\"/>",
        "<path d=\"M0-5.5 5 4H-5z\"/>", "<path d=\"M0-5.5 5.5 0 0 5.5-5.5 0z\"/>",
        "<path d=\"M0 5.5 5-4H-5z\"/>"};
    svg_ += kShapes[series % std::size(kShapes)];
    if (!note.empty()) absl::StrAppend(&svg_, "<title>", Escaped(note), "</title>");
    svg_ += "</g>\n";
  }

  static double LegendY(size_t entry) { return kTop + 10 + 24 * static_cast<double>(entry); }

  void LegendEntry(size_t series) {
    const double y = LegendY(series);
    absl::StrAppendFormat(
        &svg_, "<polyline class=\"line\" stroke=\"%s\" points=\"%.1f,%.1f %.1f,%.1f\"/>\n",
        Color(series), kLegendLeft, y, kLegendLeft + 28, y);
    Marker(series, kLegendLeft + 14, y, "");
    Text(kLegendLeft + 36, y + 4, "class=\"name\"", plot_.series[series].name);
  }

  const QualityPlot& plot_;
  const Exponents range_;
  std::string svg_;
};

}  // namespace

std::string QualityPlot::ToSvg() const { return Drawing(*this).Draw(); }

}  // namespace windowkv::client
