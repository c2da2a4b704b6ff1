#ifndef BASE_ERROR_H_
#define BASE_ERROR_H_

// The error that set-up and I/O return: one line that says what, where, the value
// and what is allowed. Values are immutable; every function here is thread-safe.

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace plimsoll {

struct Error {
  // One line, no trailing newline: "scripts/a.yaml:4: lines.growth: '5 furlongs':
  // expected a size per iteration, such as '0 B/iter'".
  std::string message;
};

template <typename T>
using Expected = tl::expected<T, Error>;

// Success, or why not.
using Status = Expected<void>;

inline tl::unexpected<Error> Fail(std::string message) {
  return tl::unexpected<Error>(Error{std::move(message)});
}

// "WHERE: FIELD: 'VALUE': ALLOWED"; empty parts are left out.
tl::unexpected<Error> BadValue(std::string_view where, std::string_view field,
                               std::string_view value, std::string_view allowed);

// "PATH: ACTION: strerror(error_number)".
tl::unexpected<Error> SystemError(std::string_view path, std::string_view action,
                                  int error_number);

}  // namespace plimsoll

#endif  // BASE_ERROR_H_
