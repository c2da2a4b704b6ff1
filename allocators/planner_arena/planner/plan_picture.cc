#include "allocators/planner_arena/planner/plan_picture.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "base/units.h"

namespace plimsoll {
namespace {

constexpr size_t kMostDrawn = 50'000;
constexpr double kWidth = 1200;
constexpr double kHeight = 700;

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string Bytes(int64_t bytes) { return FormatBytes(static_cast<double>(bytes)); }

}  // namespace

std::string DrawPlan(const std::vector<Buffer>& buffers, const Plan& plan,
                     const std::vector<std::string>& ids) {
  int64_t begin = INT64_MAX;
  int64_t end = INT64_MIN;
  std::vector<size_t> drawn;
  for (size_t i = 0; i < buffers.size(); ++i) {
    begin = std::min(begin, buffers[i].lower);
    end = std::max(end, buffers[i].upper);
    if (buffers[i].size > 0) drawn.push_back(i);
  }
  const size_t all = drawn.size();
  const auto area = [&](size_t i) {
    const Buffer& b = buffers[i];
    return static_cast<double>(b.size) *
           (static_cast<double>(b.upper) - static_cast<double>(b.lower));
  };
  if (drawn.size() > kMostDrawn) {
    std::nth_element(drawn.begin(), drawn.begin() + kMostDrawn, drawn.end(),
                     [&](size_t i, size_t j) { return area(i) > area(j); });
    drawn.resize(kMostDrawn);
    std::sort(drawn.begin(), drawn.end());
  }
  const double x_scale =
      buffers.empty() ? 0 : kWidth / (static_cast<double>(end) - static_cast<double>(begin));
  const double y_scale = plan.height > 0 ? kHeight / static_cast<double>(plan.height) : 0;
  std::string svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1208\" height=\"732\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n<text x=\"4\" y=\"16\">" +
      std::to_string(all) + " buffers in " + Bytes(plan.height) + "; no plan is lower than " +
      Bytes(plan.lower_bound);
  if (drawn.size() < all) {
    svg += "; the " + std::to_string(all - drawn.size()) + " smallest are not drawn";
  }
  svg += "</text>\n<g transform=\"translate(4,24)\" stroke=\"black\" stroke-width=\"0.2\">\n";
  char line[400];
  const auto print = [&](const char* format, auto... values) {
    std::snprintf(line, sizeof line, format, values...);
    svg += line;
  };
  print("<rect width=\"%g\" height=\"%g\" fill=\"none\"/>\n", kWidth, kHeight);
  for (const size_t i : drawn) {
    const Buffer& b = buffers[i];
    const double height = static_cast<double>(b.size) * y_scale;
    const double from = (static_cast<double>(b.lower) - static_cast<double>(begin)) * x_scale;
    const double width = (static_cast<double>(b.upper) - static_cast<double>(b.lower)) * x_scale;
    const double y = kHeight - static_cast<double>(plan.offsets[i]) * y_scale - height;
    // Neighbours in the file get hues far apart.
    print("<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"hsl(%d,60%%,75%%)\">",
          from, y, width, height, static_cast<int>(i * 137 % 360));
    svg += "<title>buffer " + (ids.empty() ? std::to_string(i) : Escaped(ids[i]));
    print(": %s at %lld, live [%lld, %lld)</title></rect>\n", Bytes(b.size).c_str(),
          static_cast<long long>(plan.offsets[i]), static_cast<long long>(b.lower),
          static_cast<long long>(b.upper));
  }
  svg += "</g>\n</svg>\n";
  return svg;
}

}  // namespace plimsoll
