#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include <sys/types.h>

#include "base/descriptor.h"
#include "record/record.h"

namespace lockkeeper::engine::sqlite {

/// Sees, from outside and without taking a lock, when a file of SQLite's lets nobody else write or read: by
/// asking the kernel which of SQLite's lock bytes are held (os.h of its sources: PENDING_BYTE; wal.c:
/// WAL_WRITE_LOCK), a look every half millisecond. A reader of ours would keep the migration from committing.
///
/// Whoever closes a descriptor of a file drops all POSIX locks that its process has on it, SQLite's too:
/// those of a watch are closed only with the watch, which must outlive every connection of this process.
class LockWatch {
 public:
  explicit LockWatch(std::filesystem::path file) : m_file(std::move(file)) {}

  void begin();
  /// What was seen since begin().
  std::vector<record::FileLock> end();

 private:
  /// A file that is looked at, as long as it is this one.
  struct Watched {
    Descriptor descriptor;
    ino_t number = 0;
  };
  struct Held {
    bool write = false;
    bool readers = false;
  };
  void watch(const std::stop_token& stop);
  Held look();
  int descriptor_of(const std::filesystem::path& path, std::optional<Watched>& watched);

  std::filesystem::path m_file;
  std::optional<Watched> m_database;
  std::optional<Watched> m_index;  ///< of the write-ahead log: …-shm
  std::vector<Watched> m_former;
  std::vector<record::FileLock> m_seen;
  std::jthread m_thread;
};

}  // namespace lockkeeper::engine::sqlite
