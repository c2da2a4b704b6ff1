#include "harness/runner/decoder.h"

#include <cstring>
#include <utility>

namespace plimsoll {
namespace {

using wire::MessageType;

template <typename T>
bool Read(const wire::MessageHeader& header, const char* payload, T& message) {
  if (header.size < sizeof(T)) return false;
  std::memcpy(&message, payload, sizeof(T));
  return true;
}

tl::unexpected<Error> Malformed(const wire::MessageHeader& header, const char* why) {
  return Fail("agent stream: message type " + std::to_string(header.type) + " of " +
              std::to_string(header.size) + " bytes: " + why);
}

}  // namespace

Status Decoder::Feed(const void* data, size_t size, std::vector<AgentEvent>& events) {
  if (!failure_.empty()) return Fail(failure_);
  pending_.append(static_cast<const char*>(data), size);
  size_t position = 0;
  while (pending_.size() - position >= sizeof(wire::MessageHeader)) {
    wire::MessageHeader header;
    std::memcpy(&header, pending_.data() + position, sizeof(header));
    Status taken;
    if (header.size > wire::kMaxPayload) {
      taken = Malformed(header, "longer than a message may be");
    } else if (pending_.size() - position - sizeof(header) < header.size) {
      break;
    } else {
      taken = Take(header, pending_.data() + position + sizeof(header), events);
    }
    if (!taken.has_value()) {
      failure_ = taken.error().message;
      return taken;
    }
    position += sizeof(header) + header.size;
  }
  pending_.erase(0, position);
  return {};
}

Status Decoder::Take(const wire::MessageHeader& header, const char* payload,
                     std::vector<AgentEvent>& events) {
  const char* const kShort = "too short";
  switch (static_cast<MessageType>(header.type)) {
    case MessageType::kHello: {
      wire::Hello hello;
      if (!Read(header, payload, hello)) return Malformed(header, kShort);
      if (hello.version != wire::kVersion) return Malformed(header, "another version's agent");
      events.emplace_back(hello);
      return {};
    }
    case MessageType::kSample: {
      wire::SampleMessage message;
      if (!Read(header, payload, message)) return Malformed(header, kShort);
      events.emplace_back(wire::Decode(message));
      return {};
    }
    case MessageType::kSnapshotBegin: {
      wire::SnapshotBegin begin;
      if (!Read(header, payload, begin)) return Malformed(header, kShort);
      snapshot_ = Snapshot();
      snapshot_.iteration = begin.iteration;
      in_snapshot_ = true;
      return {};
    }
    case MessageType::kSite: {
      wire::SiteMessage message;
      if (!Read(header, payload, message)) return Malformed(header, kShort);
      if (!in_snapshot_) return Malformed(header, "outside a snapshot");
      if (message.kind >= kResourceKinds) return Malformed(header, "unknown kind of resource");
      SiteSurvivors site;
      site.kind = static_cast<ResourceKind>(message.kind);
      site.site = message.site;
      site.live_blocks = message.live_blocks;
      site.live_bytes = message.live_bytes;
      site.floor_blocks = message.floor_blocks;
      site.floor_bytes = message.floor_bytes;
      snapshot_.sites.push_back(std::move(site));
      return {};
    }
    case MessageType::kEpoch: {
      wire::EpochMessage message;
      if (!Read(header, payload, message)) return Malformed(header, kShort);
      if (!in_snapshot_ || snapshot_.sites.empty()) return Malformed(header, "without a site");
      std::vector<EpochSurvivors>& epochs = snapshot_.sites.back().epochs;
      if (!epochs.empty() && epochs.back().epoch >= message.epoch) {
        return Malformed(header, "epochs out of order");
      }
      epochs.push_back({message.epoch, message.blocks, message.bytes});
      return {};
    }
    case MessageType::kSnapshotEnd: {
      wire::SnapshotEnd end;
      if (!Read(header, payload, end)) return Malformed(header, kShort);
      if (!in_snapshot_) return Malformed(header, "outside a snapshot");
      snapshot_.complete = end.complete != 0;
      in_snapshot_ = false;
      events.emplace_back(std::move(snapshot_));
      snapshot_ = Snapshot();
      return {};
    }
    case MessageType::kFrames: {
      wire::FramesMessage message;
      if (!Read(header, payload, message)) return Malformed(header, kShort);
      if (message.count > wire::kMaxFrames ||
          header.size - sizeof(message) < message.count * sizeof(uint64_t)) {
        return Malformed(header, "fewer addresses than announced");
      }
      SiteFrames frames;
      frames.site = message.site;
      frames.addresses.resize(message.count);
      if (message.count > 0) {
        std::memcpy(frames.addresses.data(), payload + sizeof(message),
                    message.count * sizeof(uint64_t));
      }
      events.emplace_back(std::move(frames));
      return {};
    }
    case MessageType::kModule: {
      wire::ModuleMessage message;
      if (!Read(header, payload, message)) return Malformed(header, kShort);
      if (message.path_size > header.size - sizeof(message)) {
        return Malformed(header, "a path shorter than announced");
      }
      events.emplace_back(Module{message.start, message.end, message.offset,
                                 std::string(payload + sizeof(message), message.path_size)});
      return {};
    }
    case MessageType::kArena: {
      wire::ArenaMessage message;
      if (!Read(header, payload, message)) return Malformed(header, kShort);
      events.emplace_back(message);
      return {};
    }
    case MessageType::kRetention: {
      wire::RetentionMessage message;
      if (!Read(header, payload, message)) return Malformed(header, kShort);
      events.emplace_back(message);
      return {};
    }
    case MessageType::kGoodbye:
      events.emplace_back(Goodbye{});
      return {};
    default:
      return Malformed(header, "unknown type");
  }
}

}  // namespace plimsoll
