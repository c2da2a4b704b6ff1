#include "harness/ledger/unwind_rules.h"

#include <dlfcn.h>
#include <string.h>

#include <cstddef>

namespace plimsoll::ledger {
namespace {

// DWARF numbers of the registers that matter.
constexpr uint64_t kRbp = 6;
constexpr uint64_t kRsp = 7;
constexpr uint64_t kReturn = 16;

// Pointer encodings of .eh_frame (LSB core specification, DWARF extensions).
constexpr uint8_t kOmitted = 0xFF;
constexpr uint8_t kFormatMask = 0x0F;
constexpr uint8_t kRelativeMask = 0x70;
constexpr uint8_t kPcRelative = 0x10;
constexpr uint8_t kDataRelative = 0x30;

// Reads forward. .eh_frame is mapped and was written by the linker: lengths are trusted.
class Reader {
 public:
  explicit Reader(uint64_t at) : at_(at) {}
  uint64_t at() const { return at_; }
  void Skip(uint64_t bytes) { at_ += bytes; }

  template <typename T>
  T Read() {
    T value;
    memcpy(&value, reinterpret_cast<const void*>(at_), sizeof value);
    at_ += sizeof value;
    return value;
  }
  uint64_t Unsigned() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = Read<uint8_t>();
      if (shift < 64) value |= uint64_t{byte & 0x7Fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
  }
  int64_t Signed() {
    uint64_t value = 0;
    int shift = 0;
    uint8_t byte;
    do {
      byte = Read<uint8_t>();
      if (shift < 64) value |= uint64_t{byte & 0x7Fu} << shift;
      shift += 7;
    } while ((byte & 0x80) != 0);
    if (shift < 64 && (byte & 0x40) != 0) value |= ~uint64_t{0} << shift;
    return static_cast<int64_t>(value);
  }
  // `data` is what data-relative values count from.
  uint64_t Encoded(uint8_t encoding, uint64_t data) {
    const uint64_t place = at_;
    uint64_t value = 0;
    switch (encoding & kFormatMask) {
      case 0x00:
      case 0x04:
      case 0x0C:
        value = Read<uint64_t>();
        break;
      case 0x01:
        value = Unsigned();
        break;
      case 0x02:
        value = Read<uint16_t>();
        break;
      case 0x03:
        value = Read<uint32_t>();
        break;
      case 0x09:
        value = static_cast<uint64_t>(Signed());
        break;
      case 0x0A:
        value = static_cast<uint64_t>(int64_t{Read<int16_t>()});
        break;
      case 0x0B:
        value = static_cast<uint64_t>(int64_t{Read<int32_t>()});
        break;
      default:
        break;
    }
    if ((encoding & kRelativeMask) == kPcRelative) value += place;
    if ((encoding & kRelativeMask) == kDataRelative) value += data;
    return value;
  }

 private:
  uint64_t at_;
};

// A common information entry: what the functions of one object file share.
struct Common {
  uint64_t code_factor = 1;
  int64_t data_factor = 1;
  uint64_t program = 0;
  uint64_t program_end = 0;
  uint8_t pointer_encoding = 0;
  bool has_augmentation = false;
  bool is_signal_frame = false;
};

bool ReadCommon(uint64_t at, Common* common) {
  Reader reader(at);
  const auto length = reader.Read<uint32_t>();
  if (length == 0 || length == 0xFFFFFFFF) return false;  // none, or of the 64-bit form
  common->program_end = reader.at() + length;
  if (reader.Read<uint32_t>() != 0) return false;  // not a common entry
  const auto version = reader.Read<uint8_t>();
  const auto* augmentation = reinterpret_cast<const char*>(reader.at());
  reader.Skip(strlen(augmentation) + 1);
  common->code_factor = reader.Unsigned();
  common->data_factor = reader.Signed();
  const uint64_t return_register = version == 1 ? reader.Read<uint8_t>() : reader.Unsigned();
  if (return_register != kReturn) return false;
  if (*augmentation == 'z') {
    common->has_augmentation = true;
    const uint64_t size = reader.Unsigned();
    const uint64_t end = reader.at() + size;
    for (const char* letter = augmentation + 1; *letter != '\0'; ++letter) {
      switch (*letter) {
        case 'R':
          common->pointer_encoding = reader.Read<uint8_t>();
          break;
        case 'P': {
          const auto encoding = reader.Read<uint8_t>();
          reader.Encoded(encoding, 0);
          break;
        }
        case 'L':
          reader.Skip(1);
          break;
        case 'S':
          common->is_signal_frame = true;
          break;
        default:
          break;
      }
    }
    reader.Skip(end - reader.at());
  } else if (*augmentation != '\0') {
    return false;
  }
  common->program = reader.at();
  return true;
}

// The function's entry, by the sorted table of .eh_frame_hdr; 0 when there is none.
uint64_t FindEntry(uint64_t header, uint64_t address) {
  Reader reader(header);
  if (reader.Read<uint8_t>() != 1) return 0;
  const auto frame_encoding = reader.Read<uint8_t>();
  const auto count_encoding = reader.Read<uint8_t>();
  const auto table_encoding = reader.Read<uint8_t>();
  if (count_encoding == kOmitted || table_encoding != (kDataRelative | 0x0B)) return 0;
  reader.Encoded(frame_encoding, header);
  const uint64_t count = reader.Encoded(count_encoding, header);
  struct Row {
    int32_t function, entry;
  };
  const auto* rows = reinterpret_cast<const Row*>(reader.at());
  const auto wanted = static_cast<int64_t>(address - header);
  uint64_t low = 0, high = count;
  while (low < high) {
    const uint64_t middle = (low + high) / 2;
    if (rows[middle].function <= wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low == 0 ? 0 : header + static_cast<uint64_t>(int64_t{rows[low - 1].entry});
}

// One row of the table that a call frame program writes; `known` turns false at what
// UnwindRule cannot say.
struct Row {
  UnwindRule rule;
  bool known = true;
};

class Program {
 public:
  Program(const Common& common, uint64_t start) : common_(common), location_(start) {}

  Row row() const { return row_; }
  // The common entry's program sets what DW_CFA_restore goes back to.
  void KeepInitial() { initial_ = row_; }

  // Runs until the row for `wanted` is complete. False: an instruction is not known.
  bool Run(uint64_t at, uint64_t end, uint64_t wanted) {
    Reader reader(at);
    while (reader.at() < end) {
      const auto byte = reader.Read<uint8_t>();
      const uint8_t low = byte & 0x3F;
      switch (byte >> 6) {
        case 1:  // DW_CFA_advance_loc
          if (!Advance(low, wanted)) return true;
          continue;
        case 2:  // DW_CFA_offset
          SetSaved(low, static_cast<int64_t>(reader.Unsigned()) * common_.data_factor);
          continue;
        case 3:  // DW_CFA_restore
          Restore(low);
          continue;
        default:
          break;
      }
      switch (low) {
        case 0x00:  // nop
          break;
        case 0x01:  // set_loc
          location_ = reader.Encoded(common_.pointer_encoding, 0);
          if (location_ > wanted) return true;
          break;
        case 0x02:  // advance_loc1
          if (!Advance(reader.Read<uint8_t>(), wanted)) return true;
          break;
        case 0x03:  // advance_loc2
          if (!Advance(reader.Read<uint16_t>(), wanted)) return true;
          break;
        case 0x04:  // advance_loc4
          if (!Advance(reader.Read<uint32_t>(), wanted)) return true;
          break;
        case 0x05: {  // offset_extended
          const uint64_t which = reader.Unsigned();
          SetSaved(which, static_cast<int64_t>(reader.Unsigned()) * common_.data_factor);
          break;
        }
        case 0x06:  // restore_extended
          Restore(reader.Unsigned());
          break;
        case 0x07:  // undefined
          if (reader.Unsigned() == kReturn) row_.rule.cfa = UnwindRule::Cfa::kEnd;
          break;
        case 0x08:  // same_value
          if (reader.Unsigned() == kRbp) row_.rule.rbp = UnwindRule::Saved::kSame;
          break;
        case 0x09: {  // register
          const uint64_t which = reader.Unsigned();
          reader.Unsigned();
          if (which == kRbp || which == kReturn) row_.known = false;
          break;
        }
        case 0x0A:  // remember_state
          if (remembered_ == kMostRemembered) return false;
          stack_[remembered_++] = row_;
          break;
        case 0x0B:  // restore_state
          if (remembered_ == 0) return false;
          row_ = stack_[--remembered_];
          break;
        case 0x0C: {  // def_cfa
          const uint64_t which = reader.Unsigned();
          SetCfa(which, static_cast<int64_t>(reader.Unsigned()));
          break;
        }
        case 0x0D:  // def_cfa_register
          SetCfa(reader.Unsigned(), row_.rule.cfa_offset);
          break;
        case 0x0E:  // def_cfa_offset
          row_.rule.cfa_offset = static_cast<int32_t>(reader.Unsigned());
          break;
        case 0x0F:  // def_cfa_expression
          ReadCfaExpression(&reader);
          break;
        case 0x10:  // expression
          ReadExpression(&reader, /*is_value=*/false);
          break;
        case 0x11: {  // offset_extended_sf
          const uint64_t which = reader.Unsigned();
          SetSaved(which, reader.Signed() * common_.data_factor);
          break;
        }
        case 0x12: {  // def_cfa_sf
          const uint64_t which = reader.Unsigned();
          SetCfa(which, reader.Signed() * common_.data_factor);
          break;
        }
        case 0x13:  // def_cfa_offset_sf
          row_.rule.cfa_offset = static_cast<int32_t>(reader.Signed() * common_.data_factor);
          break;
        case 0x14:    // val_offset
        case 0x15: {  // val_offset_sf
          const uint64_t which = reader.Unsigned();
          reader.Unsigned();
          if (which == kRbp || which == kReturn) row_.known = false;
          break;
        }
        case 0x16:  // val_expression
          ReadExpression(&reader, /*is_value=*/true);
          break;
        case 0x2E:  // GNU_args_size
          reader.Unsigned();
          break;
        default:
          return false;
      }
    }
    return true;
  }

 private:
  static constexpr size_t kMostRemembered = 8;

  // False once past what is wanted.
  bool Advance(uint64_t delta, uint64_t wanted) {
    location_ += delta * common_.code_factor;
    return location_ <= wanted;
  }
  void SetCfa(uint64_t which, int64_t offset) {
    row_.rule.cfa = which == kRsp   ? UnwindRule::Cfa::kStackPointer
                    : which == kRbp ? UnwindRule::Cfa::kFramePointer
                                    : UnwindRule::Cfa::kUnknown;
    row_.rule.cfa_offset = static_cast<int32_t>(offset);
  }
  void SetSaved(uint64_t which, int64_t offset) {
    if (which == kReturn && offset != -8) row_.known = false;
    if (which != kRbp) return;
    row_.rule.rbp = UnwindRule::Saved::kAtCfa;
    row_.rule.rbp_offset = static_cast<int16_t>(offset);
    if (offset != row_.rule.rbp_offset) row_.known = false;
  }
  void Restore(uint64_t which) {
    if (which != kRbp) return;
    row_.rule.rbp = initial_.rule.rbp;
    row_.rule.rbp_offset = initial_.rule.rbp_offset;
  }
  // The one form in use: breg6 (rbp) offset, then deref. Others: not known.
  void ReadCfaExpression(Reader* reader) {
    const uint64_t size = reader->Unsigned();
    const uint64_t end = reader->at() + size;
    row_.rule.cfa = UnwindRule::Cfa::kUnknown;
    if (size >= 3 && reader->Read<uint8_t>() == 0x70 + kRbp) {
      const int64_t offset = reader->Signed();
      if (reader->at() + 1 == end && reader->Read<uint8_t>() == 0x06) {
        row_.rule.cfa = UnwindRule::Cfa::kIndirect;
        row_.rule.cfa_offset = static_cast<int32_t>(offset);
      }
    }
    reader->Skip(end - reader->at());
  }
  // Of rbp: breg6 offset. Of the return address: none.
  void ReadExpression(Reader* reader, bool is_value) {
    const uint64_t which = reader->Unsigned();
    const uint64_t size = reader->Unsigned();
    const uint64_t end = reader->at() + size;
    if (which == kReturn) row_.known = false;
    if (which == kRbp) {
      row_.known = false;
      if (!is_value && size >= 2 && reader->Read<uint8_t>() == 0x70 + kRbp) {
        const int64_t offset = reader->Signed();
        if (reader->at() == end) {
          row_.rule.rbp = UnwindRule::Saved::kAtFrame;
          row_.rule.rbp_offset = static_cast<int16_t>(offset);
          row_.known = offset == row_.rule.rbp_offset;
        }
      }
    }
    reader->Skip(end - reader->at());
  }

  const Common& common_;
  uint64_t location_;
  Row row_, initial_;
  Row stack_[kMostRemembered];
  size_t remembered_ = 0;
};

}  // namespace

UnwindRule FindUnwindRule(uint64_t address) {
  dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(address), &object) != 0 ||
      object.dlfo_eh_frame == nullptr) {
    return {};
  }
  const uint64_t entry = FindEntry(reinterpret_cast<uint64_t>(object.dlfo_eh_frame), address);
  if (entry == 0) return {};
  Reader reader(entry);
  const auto length = reader.Read<uint32_t>();
  if (length == 0 || length == 0xFFFFFFFF) return {};
  const uint64_t end = reader.at() + length;
  const uint64_t common_place = reader.at();
  Common common;
  if (!ReadCommon(common_place - reader.Read<uint32_t>(), &common)) return {};
  const uint64_t start = reader.Encoded(common.pointer_encoding, 0);
  const uint64_t size = reader.Encoded(common.pointer_encoding & kFormatMask, 0);
  if (address < start || address >= start + size) return {};
  if (common.is_signal_frame) return {.cfa = UnwindRule::Cfa::kEnd};
  if (common.has_augmentation) {
    const uint64_t augmentation = reader.Unsigned();
    reader.Skip(augmentation);
  }
  Program program(common, start);
  if (!program.Run(common.program, common.program_end, ~uint64_t{0})) return {};
  program.KeepInitial();
  if (!program.Run(reader.at(), end, address) || !program.row().known) return {};
  return program.row().rule;
}

}  // namespace plimsoll::ledger
