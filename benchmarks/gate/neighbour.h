#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/result.h"

namespace lockkeeper::gate_proof {

/// How much the neighbour works: never; on one core always and on the others in bursts; on all of them
/// always.
enum class Load { none, other, both };

std::string to_string(Load load);
/// A Failure names what there is.
Result<Load> load_of(const std::string& name);

/// A process that moves memory about on the cores of this machine, at our priority. It ends with the object,
/// and with us whatever ends us.
class Neighbour {
 public:
  static Result<Neighbour> start(Load load, const std::filesystem::path& log);

 private:
  std::vector<Daemon> m_processes;  ///< none where there is no load
};

/// The option with which this program is the neighbour, and what it does then until a signal ends it.
inline constexpr const char* k_neighbour_option = "--neighbour";
int be_neighbour(const std::string& load);

}  // namespace lockkeeper::gate_proof
