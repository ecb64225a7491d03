#include "engine/decompress.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

namespace lockkeeper::engine {

namespace {

constexpr std::size_t k_block = 128UL * 1024;

/// The bytes as they lie in the file.
class RawFile {
 public:
  RawFile(std::filesystem::path path, int descriptor) : m_path(std::move(path)), m_descriptor(descriptor) {}
  ~RawFile() {
    if (m_descriptor >= 0) ::close(m_descriptor);
  }
  RawFile(RawFile&& other) noexcept
      : m_path(std::move(other.m_path)), m_descriptor(std::exchange(other.m_descriptor, -1)) {}
  RawFile& operator=(RawFile&&) = delete;
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  Result<std::size_t> read(char* buffer, std::size_t size) {
    while (true) {
      const ssize_t got = ::read(m_descriptor, buffer, size);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return fail(std::strerror(errno));
    }
  }
  tl::unexpected<Failure> fail(const std::string& cause) const {
    return failed(FailureKind::usage, fmt::format("cannot read fixture '{}': {}", m_path.string(), cause));
  }
  /// The first bytes, the position put back.
  std::string magic() const {
    char bytes[4] = {};
    const ssize_t got = ::pread(m_descriptor, bytes, sizeof bytes, 0);
    return std::string(bytes, got > 0 ? static_cast<std::size_t>(got) : 0);
  }

 private:
  std::filesystem::path m_path;
  int m_descriptor;
};

class Plain : public FileStream {
 public:
  explicit Plain(RawFile file) : m_file(std::move(file)) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override { return m_file.read(buffer, size); }
  bool compressed() const override { return false; }

 private:
  RawFile m_file;
};

class Gzip : public FileStream {
 public:
  explicit Gzip(RawFile file) : m_file(std::move(file)), m_input(k_block) {
    // 15 bits of window, and 32: the header says whether gzip or zlib.
    m_good = ::inflateInit2(&m_stream, 15 + 32) == Z_OK;
  }
  ~Gzip() override { ::inflateEnd(&m_stream); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    if (!m_good) return m_file.fail("zlib cannot be started");
    m_stream.next_out = reinterpret_cast<Bytef*>(buffer);
    m_stream.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1U << 30U));
    const uInt room = m_stream.avail_out;
    while (m_stream.avail_out == room) {
      if (m_stream.avail_in == 0) {
        auto got = m_file.read(m_input.data(), m_input.size());
        if (!got) return got;
        if (*got == 0)
          return m_member_open ? m_file.fail("the gzip data is cut off") : Result<std::size_t>(0);
        m_stream.next_in = reinterpret_cast<Bytef*>(m_input.data());
        m_stream.avail_in = static_cast<uInt>(*got);
      }
      m_member_open = true;
      const int state = ::inflate(&m_stream, Z_NO_FLUSH);
      if (state == Z_STREAM_END) {
        // A file may be several gzip members one after the other.
        m_member_open = false;
        ::inflateReset(&m_stream);
      } else if (state != Z_OK && state != Z_BUF_ERROR) {
        return m_file.fail("the gzip data is damaged");
      }
    }
    return static_cast<std::size_t>(room - m_stream.avail_out);
  }
  bool compressed() const override { return true; }

 private:
  RawFile m_file;
  std::vector<char> m_input;
  z_stream m_stream{};
  bool m_good = false;
  bool m_member_open = true;
};

struct FreeZstd {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

class Zstd : public FileStream {
 public:
  explicit Zstd(RawFile file) : m_file(std::move(file)), m_input(k_block), m_context(ZSTD_createDCtx()) {}

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    ZSTD_outBuffer out{buffer, size, 0};
    while (out.pos == 0) {
      if (m_in.pos == m_in.size && !m_flushing) {
        auto got = m_file.read(m_input.data(), m_input.size());
        if (!got) return got;
        if (*got == 0) return m_frame_open ? m_file.fail("the zstd data is cut off") : Result<std::size_t>(0);
        m_in = {m_input.data(), *got, 0};
      }
      const std::size_t left = ZSTD_decompressStream(m_context.get(), &out, &m_in);
      if (ZSTD_isError(left) != 0)
        return m_file.fail(fmt::format("the zstd data is damaged: {}", ZSTD_getErrorName(left)));
      m_frame_open = left != 0;
      m_flushing = out.pos == out.size;  // more may wait inside the decoder
    }
    return out.pos;
  }
  bool compressed() const override { return true; }

 private:
  RawFile m_file;
  std::vector<char> m_input;
  std::unique_ptr<ZSTD_DCtx, FreeZstd> m_context;
  ZSTD_inBuffer m_in{nullptr, 0, 0};
  bool m_frame_open = true;
  bool m_flushing = false;
};

}  // namespace

Result<std::unique_ptr<FileStream>> FileStream::open(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  RawFile file(path, descriptor);
  if (descriptor < 0) return file.fail(errno == ENOENT ? "no such file" : std::strerror(errno));
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) return file.fail("it is a directory");
  const std::string magic = file.magic();
  if (magic.starts_with("\x1f\x8b")) return std::make_unique<Gzip>(std::move(file));
  if (magic == "\x28\xb5\x2f\xfd") return std::make_unique<Zstd>(std::move(file));
  return std::make_unique<Plain>(std::move(file));
}

Result<std::string> head_of(const std::filesystem::path& path, std::size_t size) {
  auto stream = FileStream::open(path);
  if (!stream) return failed(stream);
  std::string head(size, '\0');
  std::size_t used = 0;
  while (used < size) {
    auto got = (*stream)->read(head.data() + used, size - used);
    if (!got) return failed(got);
    if (*got == 0) break;
    used += *got;
  }
  head.resize(used);
  return head;
}

}  // namespace lockkeeper::engine
