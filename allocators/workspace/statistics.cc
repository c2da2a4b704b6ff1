#include "allocators/workspace/statistics.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace plimsoll {
namespace {

std::string Padded(std::string text, size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

std::string Bytes(uint64_t bytes) { return FormatBytes(static_cast<double>(bytes)); }

}  // namespace

std::string StatisticsText(const WorkspaceStatistics& s) {
  std::string text = "workspace '" + s.id + "' of thread " + std::to_string(s.thread) +
                     (s.open ? ": open" : ": closed");
  const auto add = [&text](std::string_view name, const std::string& value) {
    text += ", " + std::string(name) + " " + value;
  };
  add("size", Bytes(s.current_size));
  add("offset", Bytes(s.offset));
  if (s.block_size > 0) add("block", Bytes(s.block_size));
  if (s.device_size > 0) add("device", Bytes(s.device_size));
  add("spilled", Bytes(s.spilled) + " in " + std::to_string(s.external_count));
  if (s.pinned_count > 0) add("pinned", Bytes(s.pinned) + " in " + std::to_string(s.pinned_count));
  if (s.outside_count > 0) {
    add("outside", Bytes(s.outside) + " in " + std::to_string(s.outside_count));
  }
  add("this cycle", Bytes(s.this_cycle));
  add("last", Bytes(s.last_cycle));
  add("largest", Bytes(s.max_cycle));
  add("cycles", std::to_string(s.cycles));
  add("step", std::to_string(s.step));
  add("generation", std::to_string(s.generation));
  if (s.failed_resizes > 0) {
    add("failed resizes", std::to_string(s.failed_resizes) + " (" + s.last_failure + ")");
  }
  return text;
}

std::string StatisticsTable(std::span<const WorkspaceStatistics> all) {
  constexpr std::array<std::string_view, 10> kHeads = {"thread", "size",       "offset",  "spilled",
                                                       "pinned", "last cycle", "largest", "cycles",
                                                       "step",   "generation"};
  constexpr size_t kWidth = 11;
  size_t widest = 9;
  for (const WorkspaceStatistics& s : all) widest = std::max(widest, s.id.size());
  std::string text = "workspace" + std::string(widest - 9, ' ');
  for (const std::string_view head : kHeads) text += Padded(std::string(head), kWidth);
  text += "\n";
  for (const WorkspaceStatistics& s : all) {
    text += s.id + std::string(widest - s.id.size(), ' ');
    const std::array<std::string, kHeads.size()> cells = {
        std::to_string(s.thread), Bytes(s.current_size),
        Bytes(s.offset),          Bytes(s.spilled),
        Bytes(s.pinned),          Bytes(s.last_cycle),
        Bytes(s.max_cycle),       std::to_string(s.cycles),
        std::to_string(s.step),   std::to_string(s.generation)};
    for (const std::string& cell : cells) text += Padded(cell, kWidth);
    text += s.open ? "  open\n" : "\n";
  }
  return text;
}

nlohmann::json StatisticsJson(const WorkspaceStatistics& s) {
  return {{"id", s.id},
          {"thread", s.thread},
          {"open", s.open},
          {"depth", s.depth},
          {"current_size_bytes", s.current_size},
          {"offset_bytes", s.offset},
          {"block_size_bytes", s.block_size},
          {"device_size_bytes", s.device_size},
          {"spilled_bytes", s.spilled},
          {"pinned_bytes", s.pinned},
          {"outside_bytes", s.outside},
          {"external_count", s.external_count},
          {"pinned_count", s.pinned_count},
          {"outside_count", s.outside_count},
          {"this_cycle_bytes", s.this_cycle},
          {"last_cycle_bytes", s.last_cycle},
          {"max_cycle_bytes", s.max_cycle},
          {"cycles", s.cycles},
          {"step", s.step},
          {"generation", s.generation},
          {"resizes", s.resizes},
          {"failed_resizes", s.failed_resizes},
          {"last_failure",
           s.failed_resizes > 0 ? nlohmann::json(s.last_failure) : nlohmann::json(nullptr)}};
}

}  // namespace plimsoll
