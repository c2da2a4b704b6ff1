// Reads the dynamic section of a shared object that holds the probe: a preloaded
// object must not bring libstdc++ into a program.

#include <elf.h>
#include <gtest/gtest.h>
#include <link.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

std::string library_path;

// The DT_NEEDED names of a 64-bit ELF object.
std::vector<std::string> NeededBy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string image((std::istreambuf_iterator<char>(file)), {});
  ElfW(Ehdr) header;
  if (image.size() < sizeof(header)) return {};
  std::memcpy(&header, image.data(), sizeof(header));
  std::vector<std::string> needed;
  for (int i = 0; i < header.e_shnum; ++i) {
    ElfW(Shdr) section, strings;
    std::memcpy(&section, image.data() + header.e_shoff + i * sizeof(section), sizeof(section));
    if (section.sh_type != SHT_DYNAMIC) continue;
    std::memcpy(&strings, image.data() + header.e_shoff + section.sh_link * sizeof(strings),
                sizeof(strings));
    for (size_t at = 0; at < section.sh_size; at += sizeof(ElfW(Dyn))) {
      ElfW(Dyn) entry;
      std::memcpy(&entry, image.data() + section.sh_offset + at, sizeof(entry));
      if (entry.d_tag == DT_NEEDED) {
        needed.push_back(image.data() + strings.sh_offset + entry.d_un.d_val);
      }
    }
  }
  return needed;
}

TEST(Freestanding, NeedsOnlyTheCLibrary) {
  const std::vector<std::string> needed = NeededBy(library_path);
  ASSERT_FALSE(needed.empty()) << library_path;
  bool libc = false;
  for (const std::string& name : needed) {
    EXPECT_EQ(name.find("libstdc++"), std::string::npos) << name;
    EXPECT_EQ(name.find("libgcc_s"), std::string::npos) << name;
    libc |= name.starts_with("libc.so");
  }
  EXPECT_TRUE(libc);
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc < 2) return 2;
  library_path = argv[1];
  return RUN_ALL_TESTS();
}
