#include "allocators/planner_arena/arena_picture.h"

#include <algorithm>
#include <cstdint>
#include <sstream>

#include "allocators/planner_arena/arena_sites.h"
#include "base/units.h"

namespace plimsoll {
namespace {

constexpr double kWidth = 1000;
constexpr double kHeight = 600;

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      default:
        // XML has no way to write other control characters.
        escaped += static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\n' ? '?' : c;
    }
  }
  return escaped;
}

// A field with a comma, a quote or a line break is quoted, as RFC 4180 has it.
std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

// Colours that differ for neighbours in time.
std::string ColourOf(uint32_t lane, size_t index) {
  const uint64_t hue = (lane * 47 + index * 137) % 360;
  return "hsl(" + std::to_string(hue) + ",55%,62%)";
}

}  // namespace

std::string DrawStep(const StepProfile& profile, const Layout& layout) {
  std::ostringstream svg;
  const double x_scale = kWidth / static_cast<double>(std::max<int64_t>(profile.ticks, 1));
  const double y_scale = kHeight / static_cast<double>(std::max<int64_t>(layout.height, 1));
  svg << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << kWidth << "\" height=\""
      << kHeight + 30 << "\" font-family=\"sans-serif\" font-size=\"12\">\n"
      << "<text x=\"4\" y=\"16\">" << FormatBytes(static_cast<double>(layout.height))
      << " for a peak of " << FormatBytes(static_cast<double>(layout.peak_live)) << " live; "
      << profile.ticks << " ticks</text>\n<g transform=\"translate(0,24)\">\n"
      << "<rect width=\"" << kWidth << "\" height=\"" << kHeight
      << "\" fill=\"none\" stroke=\"black\"/>\n";
  for (uint32_t lane = 0; lane < profile.lanes.size(); ++lane) {
    for (size_t i = 0; i < profile.lanes[lane].size(); ++i) {
      const ProfiledRequest& request = profile.lanes[lane][i];
      const int64_t offset = layout.offsets[lane][i];
      if (offset == Layout::kUnplanned) continue;
      const auto draw = [&](int64_t lower, int64_t upper) {
        if (lower >= upper) return;
        const double height = static_cast<double>(request.bytes) * y_scale;
        svg << "<rect x=\"" << static_cast<double>(lower) * x_scale << "\" y=\""
            << kHeight - static_cast<double>(offset) * y_scale - height << "\" width=\""
            << static_cast<double>(upper - lower) * x_scale << "\" height=\"" << height
            << "\" fill=\"" << ColourOf(lane, i) << "\"><title>"
            << FormatBytes(static_cast<double>(request.bytes)) << " at "
            << FormatBytes(static_cast<double>(offset)) << ", thread " << lane << ", request " << i
            << ", " << Escaped(SiteName(request.site)) << "</title></rect>\n";
      };
      if (request.fate == Fate::kInStep) {
        draw(request.lower, request.upper);
      } else {
        draw(request.lower, profile.ticks);
        draw(0, request.upper);
      }
    }
  }
  svg << "</g>\n</svg>\n";
  return svg.str();
}

std::string WriteProfileCsv(const StepProfile& profile) {
  std::ostringstream csv;
  csv << "id,lower,upper,size,alignment,thread,fate,site\n";
  size_t id = 0;
  for (size_t lane = 0; lane < profile.lanes.size(); ++lane) {
    for (const ProfiledRequest& request : profile.lanes[lane]) {
      csv << id++ << ',' << request.lower << ',';
      switch (request.fate) {
        case Fate::kInStep:
          csv << request.upper;
          break;
        case Fate::kCarried:
          csv << profile.ticks + request.upper;
          break;
        case Fate::kOutlives:
          break;
      }
      const char* const fates[] = {"in_step", "carried", "outlives"};
      csv << ',' << request.bytes << ',' << request.alignment << ',' << lane << ','
          << fates[static_cast<size_t>(request.fate)] << ',' << CsvField(SiteName(request.site))
          << '\n';
    }
  }
  return csv.str();
}

}  // namespace plimsoll
