#include "harness/ledger/stacks.h"

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gelf.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "harness/ledger/function_names.h"

namespace plimsoll::ledger {
namespace {

std::string Hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%" PRIx64, value);
  return text;
}

// Link-time addresses of `module` are this much lower than its own; absent when the file
// is not readable as ELF.
std::optional<uint64_t> LoadBias(const Module& module) {
  const int file = open(module.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::optional<uint64_t> bias;
  Elf* elf = elf_begin(file, ELF_C_READ_MMAP, nullptr);
  size_t segments = 0;
  if (elf != nullptr && elf_getphdrnum(elf, &segments) == 0) {
    for (size_t i = 0; i < segments && !bias; ++i) {
      GElf_Phdr segment;
      if (gelf_getphdr(elf, static_cast<int>(i), &segment) == nullptr) break;
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
      // The kernel maps whole pages; the ledger names the segment's first byte.
      const uint64_t page_start = segment.p_offset & ~uint64_t{4095};
      if (module.offset < page_start || module.offset >= segment.p_offset + segment.p_filesz) {
        continue;
      }
      bias = module.start - (segment.p_vaddr + module.offset - segment.p_offset);
    }
  }
  if (elf != nullptr) elf_end(elf);
  close(file);
  return bias;
}

std::string StringAttribute(Dwarf_Die* die, unsigned name) {
  Dwarf_Attribute attribute;
  const char* value = dwarf_formstring(dwarf_attr_integrate(die, name, &attribute));
  return value != nullptr ? value : "";
}

// Follows an inlined or out-of-line function to the place where it is declared.
Dwarf_Die Declaration(Dwarf_Die die) {
  for (const unsigned link : {DW_AT_abstract_origin, DW_AT_specification}) {
    Dwarf_Attribute attribute;
    Dwarf_Die target;
    if (dwarf_formref_die(dwarf_attr(&die, link, &attribute), &target) != nullptr) die = target;
  }
  return die;
}

std::string FunctionOf(Dwarf_Die* die) {
  std::string linkage = StringAttribute(die, DW_AT_linkage_name);
  if (linkage.empty()) linkage = StringAttribute(die, DW_AT_MIPS_linkage_name);
  if (!linkage.empty()) return ShortFunction(Demangled(linkage.c_str()));
  // A function that only its file sees has no linkage name: qualify the plain one.
  const char* plain = dwarf_diename(die);
  std::string name = plain != nullptr ? plain : "";
  Dwarf_Die declaration = Declaration(*die);
  Dwarf_Die* scopes = nullptr;
  const int count = dwarf_getscopes_die(&declaration, &scopes);
  for (int i = 1; i < count; ++i) {
    const int tag = dwarf_tag(&scopes[i]);
    if (tag != DW_TAG_namespace && tag != DW_TAG_class_type && tag != DW_TAG_structure_type) {
      continue;
    }
    const char* scope = dwarf_diename(&scopes[i]);
    if (scope != nullptr && !name.empty()) name = std::string(scope) + "::" + name;
  }
  std::free(scopes);
  return ShortFunction(name);
}

int NumberAttribute(Dwarf_Die* die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0) return 0;
  return static_cast<int>(value);
}

std::string BuildFolder(Dwarf_Die* unit) { return StringAttribute(unit, DW_AT_comp_dir); }

}  // namespace

std::string FrameText(const Frame& frame) {
  const std::string module = frame.module.empty() ? "" : " (" + frame.module + ")";
  if (frame.function.empty()) {
    return frame.module.empty() ? Hex(frame.offset) : frame.module + "+" + Hex(frame.offset);
  }
  if (frame.file.empty()) return frame.function + "+" + Hex(frame.offset) + module;
  return frame.function + " (" + frame.file +
         (frame.line > 0 ? ":" + std::to_string(frame.line) : "") + ")";
}

class Symbolizer::Impl {
 public:
  explicit Impl(std::vector<Module> modules) : modules_(std::move(modules)) {
    std::sort(modules_.begin(), modules_.end(),
              [](const Module& a, const Module& b) { return a.start < b.start; });
    opened_.resize(modules_.size());
    elf_version(EV_CURRENT);
    dwfl_ = dwfl_begin(&kCallbacks);
  }
  ~Impl() {
    if (dwfl_ != nullptr) dwfl_end(dwfl_);
  }

  const std::vector<Frame>& Frames(uint64_t return_address) {
    const auto [place, fresh] = cache_.try_emplace(return_address);
    if (fresh) place->second = Find(return_address - 1);
    return place->second;
  }

 private:
  struct Opened {
    bool tried = false;
    Dwfl_Module* module = nullptr;
  };
  static const Dwfl_Callbacks kCallbacks;

  std::vector<Frame> Find(uint64_t address) {
    auto after = std::upper_bound(
        modules_.begin(), modules_.end(), address,
        [](uint64_t wanted, const Module& module) { return wanted < module.start; });
    if (after == modules_.begin() || address >= std::prev(after)->end) {
      return {{.function = "", .file = "", .line = 0, .module = "", .offset = address + 1}};
    }
    const auto index = static_cast<size_t>(std::prev(after) - modules_.begin());
    const Module& module = modules_[index];
    const std::string module_name(BaseName(module.path));
    Dwfl_Module* opened = Open(index);
    std::vector<Frame> frames;
    if (opened != nullptr) frames = FromDebugInformation(opened, address);
    if (frames.empty()) {
      frames.push_back({.function = "",
                        .file = "",
                        .line = 0,
                        .module = "",
                        .offset = address + 1 - module.start + module.offset});
    }
    if (opened != nullptr) NameFromSymbols(opened, address, &frames.back());
    for (Frame& frame : frames) frame.module = module_name;
    return frames;
  }

  // Files are opened when an address lies in them: a process has hundreds.
  Dwfl_Module* Open(size_t index) {
    Opened& opened = opened_[index];
    if (opened.tried || dwfl_ == nullptr) return opened.module;
    opened.tried = true;
    const Module& module = modules_[index];
    const std::optional<uint64_t> bias = LoadBias(module);
    if (!bias) return nullptr;
    dwfl_report_begin_add(dwfl_);
    const std::string name = module.path + "@" + Hex(module.start);
    opened.module =
        dwfl_report_elf(dwfl_, name.c_str(), module.path.c_str(), -1, *bias, /*add_p_vaddr=*/true);
    dwfl_report_end(dwfl_, nullptr, nullptr);
    return opened.module;
  }

  static std::vector<Frame> FromDebugInformation(Dwfl_Module* module, uint64_t address) {
    std::vector<Frame> frames;
    Dwarf_Addr bias = 0;
    Dwarf_Die* unit = dwfl_module_addrdie(module, address, &bias);
    if (unit == nullptr) return frames;
    const std::string folder = BuildFolder(unit);
    std::string file;
    int line = 0;
    if (Dwfl_Line* row = dwfl_module_getsrc(module, address)) {
      const char* path = dwfl_lineinfo(row, nullptr, &line, nullptr, nullptr, nullptr);
      if (path != nullptr) file = ShortFile(path, folder);
    }
    Dwarf_Die* scopes = nullptr;
    int count = dwarf_getscopes(unit, address - bias, &scopes);
    if (count > 0) {
      // The scopes an inlined function stands in by its text; wanted is who calls it.
      Dwarf_Die innermost = scopes[0];
      std::free(scopes);
      scopes = nullptr;
      count = dwarf_getscopes_die(&innermost, &scopes);
    }
    Dwarf_Files* files = nullptr;
    dwarf_getsrcfiles(unit, &files, nullptr);
    for (int i = 0; i < count; ++i) {
      const int tag = dwarf_tag(&scopes[i]);
      if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram) continue;
      frames.push_back({.function = FunctionOf(&scopes[i]),
                        .file = file,
                        .line = line,
                        .module = "",
                        .offset = 0});
      if (tag == DW_TAG_subprogram) break;
      const int call_file = NumberAttribute(&scopes[i], DW_AT_call_file);
      const char* path =
          files != nullptr && call_file > 0
              ? dwarf_filesrc(files, static_cast<size_t>(call_file), nullptr, nullptr)
              : nullptr;
      file = path != nullptr ? ShortFile(path, folder) : "";
      line = NumberAttribute(&scopes[i], DW_AT_call_line);
    }
    std::free(scopes);
    if (frames.empty() && !file.empty()) {
      frames.push_back({.function = "", .file = file, .line = line, .module = "", .offset = 0});
    }
    return frames;
  }

  // The outermost function by its symbol, which has its namespaces where debug
  // information of level 1 has not.
  static void NameFromSymbols(Dwfl_Module* module, uint64_t address, Frame* frame) {
    GElf_Off offset = 0;
    GElf_Sym symbol;
    const char* name =
        dwfl_module_addrinfo(module, address, &offset, &symbol, nullptr, nullptr, nullptr);
    // Without a size, or past it, the nearest symbol is another function's.
    if (name == nullptr || (symbol.st_size != 0 && offset >= symbol.st_size)) return;
    if (symbol.st_size == 0 && offset > 4096) return;
    frame->function = ShortFunction(Demangled(name));
    frame->offset = offset + 1;
  }

  std::vector<Module> modules_;
  std::vector<Opened> opened_;
  Dwfl* dwfl_ = nullptr;
  std::unordered_map<uint64_t, std::vector<Frame>> cache_;
};

// Debug information from the file itself, or by build id from /usr/lib/debug. The standard
// callback would also ask servers.
const Dwfl_Callbacks Symbolizer::Impl::kCallbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_build_id_find_debuginfo,
    .section_address = nullptr,
    .debuginfo_path = nullptr,
};

Symbolizer::Symbolizer(std::vector<Module> modules)
    : impl_(std::make_unique<Impl>(std::move(modules))) {}
Symbolizer::~Symbolizer() = default;

const std::vector<Frame>& Symbolizer::Frames(uint64_t return_address) {
  return impl_->Frames(return_address);
}

std::vector<std::string> Symbolizer::Stack(const SiteFrames& site) {
  std::vector<std::string> all;
  std::vector<std::string> wanted;
  bool inside_allocator = true;
  for (const uint64_t address : site.addresses) {
    for (const Frame& frame : Frames(address)) {
      all.push_back(FrameText(frame));
      inside_allocator = inside_allocator && IsAllocationMachinery(frame.function);
      if (!inside_allocator && !IsRuntimeMachinery(frame.function)) wanted.push_back(all.back());
    }
  }
  return wanted.empty() ? all : wanted;
}

}  // namespace plimsoll::ledger
