#include "engine/sqlite/lock_watch.h"

#include <chrono>
#include <condition_variable>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

namespace lockkeeper::engine::sqlite {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::microseconds k_look_every{500};
// src/os.h: PENDING_BYTE, RESERVED_BYTE, SHARED_FIRST and SHARED_SIZE.
constexpr off_t k_pending = 0x40000000;
constexpr off_t k_reserved = k_pending + 1;
constexpr off_t k_shared = k_pending + 2;
constexpr off_t k_shared_size = 510;
// src/wal.c and os_unix.c: UNIX_SHM_BASE + WAL_WRITE_LOCK.
constexpr off_t k_wal_write = 120;

/// Would this lock have to wait? Asked as an open file description, since the kernel does not tell a process
/// of its own POSIX locks.
bool is_held_against(int descriptor, short type, off_t start, off_t length) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return ::fcntl(descriptor, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace

int LockWatch::descriptor_of(const std::filesystem::path& path, std::optional<Watched>& watched) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return watched ? watched->descriptor.get() : -1;
  if (watched && watched->number == status.st_ino) return watched->descriptor.get();
  if (watched) m_former.push_back(std::move(*watched));
  watched.emplace(Watched{Descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)), status.st_ino});
  return watched->descriptor.get();
}

LockWatch::Held LockWatch::look() {
  Held held;
  if (const int database = descriptor_of(m_file, m_database); database >= 0) {
    held.write = is_held_against(database, F_WRLCK, k_reserved, 1);
    held.readers = is_held_against(database, F_RDLCK, k_pending, 1) ||
                   is_held_against(database, F_RDLCK, k_shared, k_shared_size);
  }
  if (const int index = descriptor_of(m_file.string() + "-shm", m_index); index >= 0)
    held.write = held.write || is_held_against(index, F_WRLCK, k_wal_write, 1);
  return held;
}

void LockWatch::watch(const std::stop_token& stop) {
  const auto start = Clock::now();
  std::mutex alone;
  std::unique_lock lock(alone);
  std::condition_variable_any until;
  record::FileLock write{.stops_readers = false, .text = {}, .location = {}, .sampled = true};
  record::FileLock readers{.stops_readers = true, .text = {}, .location = {}, .sampled = true};
  bool writing = false;
  bool keeping_out = false;
  const auto note = [&](bool now, bool& before, record::FileLock& seen, record::Microseconds at) {
    if (now && !before) seen.at = at;
    if (!now && before) {
      seen.held = at - seen.at;
      m_seen.push_back(seen);
    }
    before = now;
  };
  while (true) {
    const bool last = stop.stop_requested();
    const Held held = last ? Held{} : look();
    const auto at = std::chrono::duration_cast<record::Microseconds>(Clock::now() - start);
    note(held.write, writing, write, at);
    note(held.readers, keeping_out, readers, at);
    if (last) return;
    until.wait_for(lock, stop, k_look_every, [] { return false; });
  }
}

void LockWatch::begin() {
  m_seen.clear();
  m_thread = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

std::vector<record::FileLock> LockWatch::end() {
  m_thread.request_stop();
  if (m_thread.joinable()) m_thread.join();
  return std::exchange(m_seen, {});
}

}  // namespace lockkeeper::engine::sqlite
