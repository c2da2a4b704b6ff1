#include "harness/runner/fuzz/conversation.h"

#include <cstdint>
#include <vector>

#include "harness/runner/wire.h"
#include "harness/verdict/rule.h"

namespace plimsoll {
namespace {

using wire::MessageType;

class Stream {
 public:
  template <typename T>
  void Put(MessageType type, const T& payload, const std::string& more = "") {
    const wire::MessageHeader header = {static_cast<uint32_t>(type),
                                        static_cast<uint32_t>(sizeof(payload) + more.size())};
    bytes_.append(reinterpret_cast<const char*>(&header), sizeof(header));
    bytes_.append(reinterpret_cast<const char*>(&payload), sizeof(payload));
    bytes_ += more;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// One message of each kind that ends a conversation.
void PutEnd(Stream& stream) {
  stream.Put(MessageType::kFrames, wire::FramesMessage{5, 1}, std::string(8, '\x10'));
  stream.Put(MessageType::kModule, wire::ModuleMessage{1, 9, 0, 4, 0}, "/lib");
  stream.Put(MessageType::kArena, wire::ArenaMessage{4096, 64});
  stream.Put(MessageType::kRetention, wire::RetentionMessage{2, 1, 3, 0, 0});
}

}  // namespace

std::string Conversation() {
  Rule rule;
  rule.max_iterations = 256;
  Stream stream;
  stream.Put(MessageType::kHello, wire::Hello{wire::kVersion, 1, 1});
  std::vector<uint32_t> looks = Looks(rule);
  looks.push_back(looks.back() + 64);
  uint32_t iteration = 0;
  for (const uint32_t look : looks) {
    for (; iteration < look;) {
      Sample sample;
      sample.iteration = ++iteration;
      sample.process.rss_anon_bytes = 1 << 20;
      sample.ledger.emplace();
      stream.Put(MessageType::kSample, wire::Encode(sample));
    }
    stream.Put(MessageType::kSnapshotBegin, wire::SnapshotBegin{look});
    stream.Put(MessageType::kSite, wire::SiteMessage{0, 5, look, 64 * look, look, 64 * look});
    for (uint32_t epoch = 1; epoch <= look; ++epoch) {
      stream.Put(MessageType::kEpoch, wire::EpochMessage{epoch, 0, 1, 64});
    }
    stream.Put(MessageType::kSnapshotEnd, wire::SnapshotEnd{1});
  }
  PutEnd(stream);
  return stream.bytes();
}

std::string ShortConversation() {
  Stream stream;
  stream.Put(MessageType::kHello, wire::Hello{wire::kVersion, 1, 1});
  stream.Put(MessageType::kSample, wire::Encode(Sample()));
  PutEnd(stream);
  stream.Put(MessageType::kGoodbye, uint32_t{0});
  return stream.bytes();
}

}  // namespace plimsoll
