#include "allocators/memory_limit/anonymous_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>

namespace plimsoll {
namespace {

Expected<std::string_view> ReadAt0(const char* path, int descriptor, char* buffer, size_t size) {
  ssize_t got = -1;
  do {
    got = ::pread(descriptor, buffer, size, 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return SystemError(path, "read", errno);
  return std::string_view(buffer, static_cast<size_t>(got));
}

// The number after leading spaces; `text` is moved past it.
bool TakeNumber(std::string_view& text, uint64_t& number) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return error == std::errc();
}

}  // namespace

ProcAnonymousMemory::~ProcAnonymousMemory() {
  for (HeldFile* file : {&statm_, &rollup_}) {
    const uint64_t held = file->process_and_descriptor.load();
    if (held != 0) ::close(static_cast<int>(held & UINT32_MAX));
  }
}

Expected<int> ProcAnonymousMemory::Descriptor(HeldFile& file) {
  const auto process = static_cast<uint64_t>(::getpid());
  uint64_t held = file.process_and_descriptor.load();
  while (held >> 32 != process) {
    const int opened = ::open(file.path, O_RDONLY | O_CLOEXEC);
    if (opened < 0) return SystemError(file.path, "open", errno);
    const uint64_t ours = process << 32 | static_cast<uint32_t>(opened);
    if (file.process_and_descriptor.compare_exchange_strong(held, ours)) {
      if (held != 0) ::close(static_cast<int>(held & UINT32_MAX));
      return opened;
    }
    ::close(opened);
  }
  return static_cast<int>(held & UINT32_MAX);
}

Expected<uint64_t> ProcAnonymousMemory::Approximate() {
  const Expected<int> descriptor = Descriptor(statm_);
  if (!descriptor) return tl::unexpected<Error>(descriptor.error());
  std::array<char, 128> buffer;
  Expected<std::string_view> text = ReadAt0(statm_.path, *descriptor, buffer.data(), buffer.size());
  if (!text) return tl::unexpected<Error>(text.error());
  uint64_t size = 0;
  uint64_t resident = 0;
  uint64_t shared = 0;
  if (!TakeNumber(*text, size) || !TakeNumber(*text, resident) || !TakeNumber(*text, shared)) {
    return Fail("/proc/self/statm: expected three page counts");
  }
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return resident > shared ? (resident - shared) * page : 0;
}

Expected<uint64_t> ProcAnonymousMemory::Exact() {
  const Expected<int> descriptor = Descriptor(rollup_);
  if (!descriptor) return tl::unexpected<Error>(descriptor.error());
  std::array<char, 2048> buffer;
  const Expected<std::string_view> text =
      ReadAt0(rollup_.path, *descriptor, buffer.data(), buffer.size());
  if (!text) return tl::unexpected<Error>(text.error());
  constexpr std::string_view kField = "\nAnonymous:";
  const size_t at = text->find(kField);
  std::string_view rest = at == std::string_view::npos ? "" : text->substr(at + kField.size());
  uint64_t kibibytes = 0;
  if (!TakeNumber(rest, kibibytes)) {
    return Fail("/proc/self/smaps_rollup: expected a field 'Anonymous:'");
  }
  return kibibytes * 1024;
}

}  // namespace plimsoll
