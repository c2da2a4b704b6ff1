// Planted: what the kernel holds for a process: mappings, descriptors, files, segments.

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "harness/client.h"
#include "memleaks_tests/corpus/families.h"

namespace plimsoll {
namespace system_patterns {

constexpr size_t kPage = 4096;

int Checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

void* CheckedMap(void* address, const char* what) {
  if (address == MAP_FAILED) throw std::system_error(errno, std::generic_category(), what);
  return address;
}

// The descriptor is closed, the mapping of the file stays.
struct FileMappingKept : PatternRun {
  PLIMSOLL_SITE void MapModel() {
    const int file = Checked(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "open");
    CheckedMap(mmap(nullptr, 4 * kPage, PROT_READ, MAP_PRIVATE, file, 0), "mmap");
    close(file);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { MapModel(); }
};

// One mapping that grows by a page each time.
struct MappingGrows : PatternRun {
  PLIMSOLL_SITE void ExtendArena() {
    const size_t larger = bytes + kPage;
    arena = bytes == 0 ? CheckedMap(mmap(nullptr, larger, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                                    "mmap")
                       : CheckedMap(mremap(arena, bytes, larger, MREMAP_MAYMOVE), "mremap");
    static_cast<volatile char*>(arena)[bytes] = 1;
    bytes = larger;
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { ExtendArena(); }
  ~MappingGrows() override {
    if (bytes > 0) munmap(arena, bytes);
  }
  void* arena = nullptr;
  size_t bytes = 0;
};

// Two pages are mapped for alignment, one is given back.
struct HalfUnmapped : PatternRun {
  PLIMSOLL_SITE void MapAligned() {
    void* pages = CheckedMap(
        mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        "mmap");
    Checked(munmap(pages, kPage), "munmap");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { MapAligned(); }
};

struct SocketKept : PatternRun {
  PLIMSOLL_SITE void ConnectTelemetry() {
    Checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { ConnectTelemetry(); }
};

// The reader is closed, the writer is forgotten.
struct PipeHalfClosed : PatternRun {
  PLIMSOLL_SITE void OpenPipe() {
    int ends[2];
    Checked(pipe2(ends, O_CLOEXEC), "pipe2");
    close(ends[0]);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { OpenPipe(); }
};

struct EventKept : PatternRun {
  PLIMSOLL_SITE void MakeEvent() {
    Checked(eventfd(0, EFD_CLOEXEC), "eventfd");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { MakeEvent(); }
};

// A copy of a descriptor for every second reader.
struct DuplicateKept : PatternRun {
  PLIMSOLL_SITE void DuplicateForReader() {
    Checked(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0), "F_DUPFD_CLOEXEC");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (++iteration % 2 == 0) DuplicateForReader();
  }
  uint64_t iteration = 0;
};

// Segments by name that are closed and never unlinked. The end of the pattern unlinks
// them, so that a run leaves nothing on the machine.
struct SharedMemoryKept : PatternRun {
  PLIMSOLL_SITE void ShareTensor() {
    names.push_back("/plimsoll-corpus-" + std::to_string(getpid()) + "-" +
                    std::to_string(names.size()));
    const int segment =
        Checked(shm_open(names.back().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "shm_open");
    const int grown = ftruncate(segment, kPage);
    close(segment);
    Checked(grown, "ftruncate");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { ShareTensor(); }
  SharedMemoryKept() { names.reserve(1 << 16); }
  ~SharedMemoryKept() override {
    for (const std::string& name : names) shm_unlink(name.c_str());
  }
  std::vector<std::string> names;
};

// System V segments that are never removed; the end of the pattern removes them.
struct SegmentKept : PatternRun {
  PLIMSOLL_SITE void CreateSegment() {
    segments.push_back(Checked(shmget(IPC_PRIVATE, kPage, IPC_CREAT | 0600), "shmget"));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { CreateSegment(); }
  SegmentKept() { segments.reserve(1 << 16); }
  ~SegmentKept() override {
    for (const int segment : segments) shmctl(segment, IPC_RMID, nullptr);
  }
  std::vector<int> segments;
};

// Temporary files that are closed and left behind; the end of the pattern unlinks them.
struct TempFileKept : PatternRun {
  PLIMSOLL_SITE void SpillToDisk() {
    const char* folder = std::getenv("TMPDIR");
    std::string path = folder == nullptr ? "/tmp" : folder;
    path += "/plimsoll-corpus-XXXXXX";
    const int file = Checked(mkstemp(path.data()), "mkstemp");
    close(file);
    paths.push_back(std::move(path));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { SpillToDisk(); }
  TempFileKept() { paths.reserve(1 << 16); }
  ~TempFileKept() override {
    for (const std::string& path : paths) unlink(path.c_str());
  }
  std::vector<std::string> paths;
};

// An allocator that reports its own blocks hands out one that never comes back.
struct AllocatorBlockKept : PatternRun {
  static constexpr size_t kArenaBytes = size_t{1} << 22;
  PLIMSOLL_SITE void CarveBlock() {
    if (used + 64 > kArenaBytes) throw std::bad_alloc();
    plimsoll_block_acquired(arena.get() + used, 64);
    used += 64;
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { CarveBlock(); }
  std::unique_ptr<std::byte[]> arena = std::make_unique_for_overwrite<std::byte[]>(kArenaBytes);
  size_t used = 0;
};

constexpr ResourceKind kMapping = ResourceKind::kMapping;
constexpr ResourceKind kDescriptor = ResourceKind::kDescriptor;

constexpr Pattern kPatterns[] = {
    {"file_mapping_kept", false, kMapping, 4 * kPage, 1, "MapModel",
     "a model mapped, never unmapped", MakeRun<FileMappingKept>},
    {"mapping_grows", false, kMapping, kPage, 0, "ExtendArena", "mremap that only grows",
     MakeRun<MappingGrows>},
    {"half_unmapped", false, kMapping, kPage, 1, "MapAligned", "a partial munmap",
     MakeRun<HalfUnmapped>},
    {"socket_kept", false, kDescriptor, 0, 1, "ConnectTelemetry", "a socket per load",
     MakeRun<SocketKept>},
    {"pipe_half_closed", false, kDescriptor, 0, 1, "OpenPipe", "one end of a pipe",
     MakeRun<PipeHalfClosed>},
    {"event_kept", false, kDescriptor, 0, 1, "MakeEvent", "an eventfd per session",
     MakeRun<EventKept>},
    {"duplicate_kept", false, kDescriptor, 0, 2, "DuplicateForReader", "a dup every second time",
     MakeRun<DuplicateKept>},
    {"shared_memory_kept", false, ResourceKind::kSharedMemory, 0, 1, "ShareTensor",
     "a segment by name per load", MakeRun<SharedMemoryKept>},
    {"segment_kept", false, ResourceKind::kSharedMemory, kPage, 1, "CreateSegment",
     "a System V segment per load", MakeRun<SegmentKept>},
    {"temp_file_kept", false, ResourceKind::kTempFile, 0, 1, "SpillToDisk",
     "a temporary file per load", MakeRun<TempFileKept>},
    {"allocator_block_kept", false, ResourceKind::kAllocatorBlock, 64, 1, "CarveBlock",
     "a block of an arena that never comes back", MakeRun<AllocatorBlockKept>},
};

}  // namespace system_patterns

std::span<const Pattern> SystemPatterns() { return system_patterns::kPatterns; }

}  // namespace plimsoll
