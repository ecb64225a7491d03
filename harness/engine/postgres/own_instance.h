#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <sys/stat.h>

#include "base/run_directory.h"
#include "engine/postgres/postgres.h"

namespace lockkeeper::engine::postgres {

/// For tests: what is no part of them must work.
template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// For tests: an engine of the newest server, with the image of an empty database, in a directory of its own
/// below /tmp that goes with the object. Throws std::runtime_error where something fails, which fails the
/// test.
class OwnEngine {
 public:
  OwnEngine() {
    std::string directory = "/tmp/lockkeeper-test-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr || ::chmod(directory.c_str(), 0711) != 0)
      throw std::runtime_error("cannot make a temporary directory");
    m_directory = directory;
    m_run = std::make_unique<RunDirectory>(must(RunDirectory::create(m_directory / "runs")));
    const auto found = find_binaries(std::nullopt);
    if (found.empty()) throw std::runtime_error("no server binaries: install postgresql");
    m_engine = must(private_servers({found.front(), must(server_account()), m_run->path()}));
    m_image = must(m_engine->make_empty(m_directory / "image", "shop"));
  }
  ~OwnEngine() {
    m_engine.reset();
    m_run.reset();
    std::error_code error;
    std::filesystem::remove_all(m_directory, error);
  }
  OwnEngine(const OwnEngine&) = delete;
  OwnEngine& operator=(const OwnEngine&) = delete;

  /// A server of its own with the empty database "shop"; it must not outlive the engine.
  std::unique_ptr<Instance> instance() const {
    return must(m_engine->restore(m_image, "shop", Purpose::rehearse));
  }

 private:
  std::filesystem::path m_directory;
  std::unique_ptr<RunDirectory> m_run;
  std::unique_ptr<Engine> m_engine;
  Image m_image;
};

}  // namespace lockkeeper::engine::postgres
