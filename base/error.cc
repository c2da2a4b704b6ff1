#include "base/error.h"

#include <system_error>

namespace plimsoll {
namespace {

void Append(std::string& line, std::string_view part) {
  if (part.empty()) return;
  if (!line.empty()) line += ": ";
  line += part;
}

}  // namespace

tl::unexpected<Error> BadValue(std::string_view where, std::string_view field,
                               std::string_view value, std::string_view allowed) {
  std::string line;
  Append(line, where);
  Append(line, field);
  Append(line, "'" + std::string(value) + "'");
  Append(line, allowed);
  return Fail(std::move(line));
}

tl::unexpected<Error> SystemError(std::string_view path, std::string_view action,
                                  int error_number) {
  std::string line;
  Append(line, path);
  Append(line, action);
  Append(line, std::generic_category().message(error_number));
  return Fail(std::move(line));
}

}  // namespace plimsoll
