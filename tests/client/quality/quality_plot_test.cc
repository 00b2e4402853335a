#include "client/quality/quality_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

namespace windowkv::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Empty when `xml` is well-formed as far as an SVG of ours goes: every tag closed in its order,
// attributes quoted and named once, no bare ampersand; otherwise what is wrong.
std::string XmlProblem(const std::string& xml) {
  static const std::regex markup(
      R"(<(/?)([A-Za-z][A-Za-z0-9]*)((?:\s+[A-Za-z][A-Za-z0-9:-]*="[^"<]*")*)\s*(/?)>)");
  static const std::regex reference("&(?!(amp|lt|gt|quot|apos);)");
  if (std::regex_search(xml, reference)) return "a bare ampersand";
  std::vector<std::string> open;
  size_t end = 0;
  bool closed_root = false;
  for (std::sregex_iterator it(xml.begin(), xml.end(), markup); it != std::sregex_iterator();
       ++it) {
    const std::string between = xml.substr(end, static_cast<size_t>(it->position()) - end);
    if (between.find('<') != std::string::npos) return "no tag: " + between;
    if (closed_root) return "something behind the root";
    end = static_cast<size_t>(it->position() + it->length());
    const std::string name = (*it)[2];
    if ((*it)[1] == "/") {
      if (open.empty() || open.back() != name) return "</" + name + "> closes nothing";
      open.pop_back();
      closed_root = open.empty();
    } else if ((*it)[4] != "/") {
      open.push_back(name);
    }
  }
  if (!closed_root) return "the root is not closed";
  return xml.substr(end) == "\n" ? "" : "something behind the root";
}

QualityPlot Example() {
  QualityPlot plot;
  plot.title = "Exact match";
  plot.subtitle = "a model";
  plot.reference = 0.995;
  plot.series = {{"windowkv", {{0.01, 0.5, "first"}, {0.03, 0.98, "second"}, {0.26, 1, ""}}},
                 {"h2o", {{0.01, 0.2, ""}, {0.03, 0.4, ""}}}};
  return plot;
}

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(QualityPlotTest, IsWellFormedAndNamesItself) {
  const std::string svg = Example().ToSvg();
  EXPECT_EQ(XmlProblem(svg), "");
  EXPECT_THAT(svg, HasSubstr("<title id=\"title\">Exact match</title>"));
  EXPECT_THAT(svg, HasSubstr("windowkv: 0.50 at 1 %; 0.98 at 3 %; 1.00 at 26 %;"));
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme: dark"));
}

TEST(QualityPlotTest, DrawsALineAndALegendEntryPerPolicyAndAMarkerPerPoint) {
  const std::string svg = Example().ToSvg();
  EXPECT_EQ(Count(svg, "<polyline"), 4u);
  EXPECT_EQ(Count(svg, "<g class=\"point\""), 7u);
  EXPECT_EQ(Count(svg, "class=\"name\">windowkv<"), 1u);
  EXPECT_EQ(Count(svg, "class=\"name\">h2o<"), 1u);
  EXPECT_EQ(Count(svg, "class=\"name\">full<"), 1u);
}

TEST(QualityPlotTest, HalvingTheCacheMovesAPointByTheSameStepEverywhere) {
  QualityPlot plot;
  plot.series = {{"a", {{0.125, 0, ""}, {0.25, 0.5, ""}, {0.5, 1, ""}, {1, 1, ""}}}};
  const std::string svg = plot.ToSvg();
  // 526 wide for three halvings; 316 high from 0 to 1.
  EXPECT_THAT(svg, HasSubstr("points=\"64.0,380.0 239.3,222.0 414.7,64.0 590.0,64.0\""));
}

TEST(QualityPlotTest, TheAxisEndsAtThePowersOfTwoAroundThePoints) {
  QualityPlot plot;
  plot.series = {{"a", {{0.3, 0, ""}}}};
  const std::string svg = plot.ToSvg();
  EXPECT_THAT(svg, HasSubstr(">25 %</text>"));
  EXPECT_THAT(svg, HasSubstr(">50 %</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(">100 %</text>")));
  EXPECT_THAT(svg, Not(HasSubstr(">12.5 %</text>")));
}

TEST(QualityPlotTest, AnyTextMayStandInIt) {
  QualityPlot plot = Example();
  plot.title = "<script>\"&'</script>";
  plot.series[0].name = "a<b";
  plot.series[0].points[0].note = "]]> & more";
  const std::string svg = plot.ToSvg();
  EXPECT_EQ(XmlProblem(svg), "");
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
}

TEST(QualityPlotTest, NothingMeasuredIsAnEmptyPlot) {
  const std::string svg = QualityPlot().ToSvg();
  EXPECT_EQ(XmlProblem(svg), "");
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(QualityPlotTest, LeavesOutPointsThatKeptNothing) {
  QualityPlot plot;
  plot.series = {{"a", {{0, 1, ""}, {0.5, 1, ""}}}};
  const std::string svg = plot.ToSvg();
  EXPECT_EQ(XmlProblem(svg), "");
  EXPECT_EQ(Count(svg, "<g class=\"point\""), 2u);
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace windowkv::client
