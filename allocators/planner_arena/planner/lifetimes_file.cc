#include "allocators/planner_arena/planner/lifetimes_file.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_map>
#include <utility>

namespace plimsoll {
namespace {

constexpr int64_t kTimeLimit = int64_t{1} << 62;
constexpr std::string_view kWhole = "expected a whole number";

struct Line {
  std::string_view text;
  size_t number;  // from 1
};

std::vector<Line> LinesOf(std::string_view text) {
  std::vector<Line> lines;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back({line, number});
  }
  return lines;
}

std::string_view Trimmed(std::string_view field) {
  while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
  while (!field.empty() && field.back() == ' ') field.remove_suffix(1);
  return field;
}

// Commas within double quotes do not divide.
std::vector<std::string_view> CommaFields(std::string_view line) {
  std::vector<std::string_view> fields;
  size_t begin = 0;
  bool quoted = false;
  for (size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && line[i] == '"') quoted = !quoted;
    if (i < line.size() && (line[i] != ',' || quoted)) continue;
    fields.push_back(Trimmed(line.substr(begin, i - begin)));
    begin = i + 1;
  }
  return fields;
}

std::vector<std::string_view> BlankFields(std::string_view line) {
  std::vector<std::string_view> fields;
  for (size_t i = 0; i < line.size();) {
    const size_t begin = line.find_first_not_of(" \t", i);
    if (begin == std::string_view::npos) break;
    i = std::min(line.find_first_of(" \t", begin), line.size());
    fields.push_back(line.substr(begin, i - begin));
  }
  return fields;
}

std::optional<int64_t> Number(std::string_view field) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size() || field.empty()) return {};
  return value;
}

class Parser {
 public:
  Parser(const std::string& path, bool inclusive) : path_(path), inclusive_(inclusive) {}

  Expected<LifetimesFile> Parse(std::string_view text) {
    const std::vector<Line> lines = LinesOf(text);
    if (lines.empty()) return Fail(path_ + ": expected lifetimes, but the file is empty");
    Status done;
    const std::vector<std::string_view> blank = BlankFields(lines[0].text);
    if ((blank.size() == 3 || blank.size() == 4) && Number(blank[0])) {
      file_.separator = ' ';
      done = ParseTriples(lines);
    } else if (const auto header = CommaFields(lines[0].text);
               std::find(header.begin(), header.end(), "Action") != header.end()) {
      done = ParseCalls(lines, header);
    } else {
      done = ParseTable(lines, header);
    }
    if (!done) return tl::unexpected(done.error());
    return std::move(file_);
  }

 private:
  std::string Where(const Line& line) const { return path_ + ":" + std::to_string(line.number); }

  Status CheckCount(const Line& line, size_t fields, size_t of_header) const {
    if (fields == of_header) return {};
    return BadValue(Where(line), "", line.text,
                    "expected " + std::to_string(of_header) + " fields, as in the header, not " +
                        std::to_string(fields));
  }

  Status Add(const Line& line, Buffer buffer, std::string row, std::string_view id = {}) {
    if (buffer.lower <= -kTimeLimit) {
      return BadValue(Where(line), "lower", std::to_string(buffer.lower), "expected > -2^62");
    }
    if (buffer.upper >= kTimeLimit - inclusive_) {
      return BadValue(Where(line), "upper", std::to_string(buffer.upper),
                      inclusive_ ? "expected < 2^62 - 1" : "expected < 2^62");
    }
    buffer.upper += inclusive_;
    if (buffer.lower >= buffer.upper) {
      return BadValue(Where(line), "upper", std::to_string(buffer.upper - inclusive_),
                      std::string("expected ") + (inclusive_ ? "at least" : "more than") +
                          " lower, which is " + std::to_string(buffer.lower) +
                          (inclusive_ || buffer.lower > buffer.upper
                               ? ""
                               : " (ranges that include their end: --inclusive)"));
    }
    if (buffer.size < 0) {
      return BadValue(Where(line), "size", std::to_string(buffer.size), "expected >= 0 bytes");
    }
    if (buffer.alignment < 1) {
      return BadValue(Where(line), "alignment", std::to_string(buffer.alignment),
                      "expected >= 1 byte");
    }
    constexpr int64_t kLimit = int64_t{1} << 62;
    if (buffer.size >= kLimit - total_ || buffer.alignment >= kLimit - total_ - buffer.size) {
      return BadValue(Where(line), "size", std::to_string(buffer.size),
                      "expected all sizes and alignments to add up to less than 2^62 bytes");
    }
    total_ += buffer.size + buffer.alignment;
    file_.buffers.push_back(buffer);
    file_.rows.push_back(std::move(row));
    file_.lines.push_back(line.number);
    file_.ids.push_back(id.empty() ? std::to_string(file_.ids.size()) : std::string(id));
    return {};
  }

  Status ParseTriples(const std::vector<Line>& lines) {
    const size_t expected = BlankFields(lines[0].text).size();
    const bool has_offsets = expected == 4;
    for (const Line& line : lines) {
      const std::vector<std::string_view> fields = BlankFields(line.text);
      if (fields.size() != expected) {
        return BadValue(Where(line), "", std::string(line.text),
                        has_offsets
                            ? "expected four numbers: when allocated, when freed, bytes, offset"
                            : "expected three numbers: when allocated, when freed, bytes");
      }
      constexpr std::string_view kNames[] = {"allocation time", "free time", "size", "offset"};
      int64_t values[4];
      for (size_t f = 0; f < fields.size(); ++f) {
        const std::optional<int64_t> value = Number(fields[f]);
        if (!value) return BadValue(Where(line), kNames[f], fields[f], kWhole);
        values[f] = *value;
      }
      std::string_view row = line.text;
      if (has_offsets) {
        file_.offsets.push_back(values[3]);
        row = row.substr(0, row.find_last_not_of(" \t", row.find_last_of(" \t")) + 1);
      }
      if (Status added = Add(line, {values[0], values[1], values[2]}, std::string(row)); !added) {
        return added;
      }
    }
    return {};
  }

  Status ParseTable(const std::vector<Line>& lines, const std::vector<std::string_view>& header) {
    const auto column = [&](std::string_view name) {
      return static_cast<size_t>(std::find(header.begin(), header.end(), name) - header.begin());
    };
    for (size_t c = 0; c < header.size(); ++c) {
      if (column(header[c]) == c) continue;
      return BadValue(Where(lines[0]), "header", header[c], "expected each column once");
    }
    const size_t id = column("id");
    const size_t fate = column("fate");
    const size_t offset = column("offset");
    const size_t columns[] = {column("lower"), column("upper"), column("size"),
                              column("alignment")};
    constexpr std::string_view kNames[] = {"lower", "upper", "size", "alignment"};
    for (size_t c = 0; c < 3; ++c) {
      if (columns[c] < header.size()) continue;
      return BadValue(Where(lines[0]), "header", lines[0].text,
                      "expected columns id, lower, upper, size and perhaps alignment; or three "
                      "numbers a line; or an RMM log: Thread,Time,Action,Pointer,Size,Stream");
    }
    file_.header = Without(header, offset);
    std::unordered_map<std::string_view, size_t> line_of_id;
    for (size_t l = 1; l < lines.size(); ++l) {
      const Line& line = lines[l];
      const std::vector<std::string_view> fields = CommaFields(line.text);
      if (Status all = CheckCount(line, fields.size(), header.size()); !all) return all;
      if (id < header.size()) {
        const auto [before, is_new] = line_of_id.emplace(fields[id], line.number);
        if (!is_new) {
          return BadValue(Where(line), "id", fields[id],
                          "expected another than in line " + std::to_string(before->second));
        }
      }
      if (fate < header.size() && fields[fate] == "outlives") {
        ++file_.outlasting;
        continue;
      }
      int64_t values[4] = {0, 0, 0, 1};
      for (size_t c = 0; c < 4; ++c) {
        if (columns[c] >= header.size()) continue;
        const std::optional<int64_t> value = Number(fields[columns[c]]);
        if (!value) return BadValue(Where(line), kNames[c], fields[columns[c]], kWhole);
        values[c] = *value;
      }
      if (offset < header.size()) {
        const std::optional<int64_t> value = Number(fields[offset]);
        if (!value) return BadValue(Where(line), "offset", fields[offset], kWhole);
        file_.offsets.push_back(*value);
      }
      if (Status added = Add(line, {values[0], values[1], values[2], values[3]},
                             Without(fields, offset), id < header.size() ? fields[id] : "");
          !added) {
        return added;
      }
      if (fate < header.size()) file_.carried.push_back(fields[fate] == "carried");
    }
    return {};
  }

  // All but one field.
  static std::string Without(const std::vector<std::string_view>& fields, size_t left_out) {
    std::string row;
    for (size_t f = 0; f < fields.size(); ++f) {
      if (f == left_out) continue;
      if (!row.empty()) row += ',';
      row += fields[f];
    }
    return row;
  }

  Status ParseCalls(const std::vector<Line>& lines, const std::vector<std::string_view>& header) {
    size_t columns[3];
    constexpr std::string_view kNames[] = {"Action", "Pointer", "Size"};
    for (size_t c = 0; c < 3; ++c) {
      columns[c] =
          static_cast<size_t>(std::find(header.begin(), header.end(), kNames[c]) - header.begin());
      if (columns[c] < header.size()) continue;
      return BadValue(Where(lines[0]), "header", lines[0].text,
                      "expected columns Thread,Time,Action,Pointer,Size,Stream");
    }
    struct Block {
      Line line;
      Buffer buffer;
    };
    std::vector<Block> blocks;
    std::unordered_map<std::string_view, size_t> live;
    for (size_t l = 1; l < lines.size(); ++l) {
      const Line& line = lines[l];
      const std::vector<std::string_view> fields = CommaFields(line.text);
      if (Status all = CheckCount(line, fields.size(), header.size()); !all) return all;
      const std::string_view action = fields[columns[0]];
      const std::string_view pointer = fields[columns[1]];
      const int64_t now = static_cast<int64_t>(l) - 1;
      if (action == "allocate") {
        const std::optional<int64_t> size = Number(fields[columns[2]]);
        if (!size || *size < 0) {
          return BadValue(Where(line), "Size", fields[columns[2]], "expected a number of bytes");
        }
        if (!live.emplace(pointer, blocks.size()).second) {
          return BadValue(Where(line), "Pointer", pointer, "expected one that is not live");
        }
        blocks.push_back({line, {now, 0, *size}});
      } else if (action == "free") {
        const auto found = live.find(pointer);
        if (found == live.end()) {
          return BadValue(Where(line), "Pointer", pointer, "expected one that is live");
        }
        blocks[found->second].buffer.upper = now;
        live.erase(found);
      } else if (action != "allocate failure") {
        return BadValue(Where(line), "Action", action,
                        "expected allocate, free or allocate failure");
      }
    }
    for (const auto& [pointer, block] : live) {
      blocks[block].buffer.upper = static_cast<int64_t>(lines.size()) - 1;
    }
    file_.never_freed = live.size();
    file_.header = "id,lower,upper,size";
    inclusive_ = false;  // the clock is ours
    for (size_t i = 0; i < blocks.size(); ++i) {
      const Buffer& b = blocks[i].buffer;
      std::string row = std::to_string(i) + ',' + std::to_string(b.lower) + ',' +
                        std::to_string(b.upper) + ',' + std::to_string(b.size);
      if (Status added = Add(blocks[i].line, b, std::move(row)); !added) return added;
    }
    return {};
  }

  const std::string& path_;
  bool inclusive_;
  int64_t total_ = 0;
  LifetimesFile file_;
};

}  // namespace

Expected<LifetimesFile> ParseLifetimes(const std::string& path, std::string_view text,
                                       bool inclusive) {
  return Parser(path, inclusive).Parse(text);
}

std::string WriteOffsets(const LifetimesFile& file, const std::vector<int64_t>& offsets) {
  std::string text;
  if (!file.header.empty()) text = file.header + file.separator + "offset\n";
  for (size_t i = 0; i < offsets.size(); ++i) {
    text += file.rows[i];
    text += file.separator;
    text += std::to_string(offsets[i]);
    text += '\n';
  }
  return text;
}

}  // namespace plimsoll
