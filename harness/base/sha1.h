#pragma once

#include <string>
#include <string_view>

namespace lockkeeper {

/// SHA-1 (FIPS 180-4) in 40 lower-case hexadecimal digits, for tools that name things by it; no defence
/// against anybody.
std::string sha1_hex(std::string_view bytes);

}  // namespace lockkeeper
