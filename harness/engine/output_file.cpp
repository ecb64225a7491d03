#include "engine/output_file.h"

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/file.h"
#include "base/text.h"

namespace lockkeeper::engine {

namespace {

constexpr std::size_t k_packed_block = 128UL * 1024;

tl::unexpected<Failure> cannot_write(const std::filesystem::path& path, int error) {
  auto failure = cannot("write", path, error);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    failure.value().hint = "free some space there, or write to another disk; nothing was left there";
  return failure;
}

class GzipFile final : public OutputFile {
 public:
  GzipFile(std::filesystem::path path, std::filesystem::path draft, Descriptor file)
      : OutputFile(std::move(path), std::move(draft), std::move(file)), m_output(k_packed_block) {
    // 15 bits of window, and 16: a gzip header.
    m_good =
        ::deflateInit2(&m_stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~GzipFile() override { ::deflateEnd(&m_stream); }
  GzipFile(const GzipFile&) = delete;
  GzipFile& operator=(const GzipFile&) = delete;

  Result<void> write(std::string_view bytes) override { return pack(bytes, Z_NO_FLUSH); }

 private:
  Result<void> end() override { return pack({}, Z_FINISH); }

  Result<void> pack(std::string_view bytes, int flush) {
    if (!m_good) return cannot_pack();
    m_stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    m_stream.avail_in = static_cast<uInt>(bytes.size());
    do {
      m_stream.next_out = reinterpret_cast<Bytef*>(m_output.data());
      m_stream.avail_out = static_cast<uInt>(m_output.size());
      if (::deflate(&m_stream, flush) == Z_STREAM_ERROR) return cannot_pack();
      if (const auto written = put({m_output.data(), m_output.size() - m_stream.avail_out}); !written)
        return failed(written);
    } while (m_stream.avail_out == 0);
    return {};
  }

  z_stream m_stream{};
  std::vector<char> m_output;
  bool m_good = false;
};

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

class ZstdFile final : public OutputFile {
 public:
  ZstdFile(std::filesystem::path path, std::filesystem::path draft, Descriptor file)
      : OutputFile(std::move(path), std::move(draft), std::move(file)),
        m_output(k_packed_block),
        m_context(ZSTD_createCCtx()) {
    // A sum over the content, so that a damaged file is known as one.
    if (m_context) ZSTD_CCtx_setParameter(m_context.get(), ZSTD_c_checksumFlag, 1);
  }

  Result<void> write(std::string_view bytes) override { return pack(bytes, ZSTD_e_continue); }

 private:
  Result<void> end() override { return pack({}, ZSTD_e_end); }

  Result<void> pack(std::string_view bytes, ZSTD_EndDirective directive) {
    if (!m_context) return cannot_pack();
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    std::size_t left = 0;
    do {
      ZSTD_outBuffer output{m_output.data(), m_output.size(), 0};
      left = ZSTD_compressStream2(m_context.get(), &output, &input, directive);
      if (ZSTD_isError(left) != 0) return cannot_pack();
      if (const auto written = put({m_output.data(), output.pos}); !written) return failed(written);
    } while (directive == ZSTD_e_end ? left > 0 : input.pos < input.size);
    return {};
  }

  std::vector<char> m_output;
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> m_context;
};

}  // namespace

Result<std::unique_ptr<OutputFile>> OutputFile::create(const std::filesystem::path& path) {
  const std::filesystem::path draft = fmt::format("{}.{}.tmp", path.string(), ::getpid());
  Descriptor file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) return cannot("write", path, errno, FailureKind::usage);
  const std::string ending = lower(path.extension().string());
  if (ending == ".gz") return std::make_unique<GzipFile>(path, draft, std::move(file));
  if (ending == ".zst" || ending == ".zstd") return std::make_unique<ZstdFile>(path, draft, std::move(file));
  return std::unique_ptr<OutputFile>(new OutputFile(path, draft, std::move(file)));
}

OutputFile::~OutputFile() {
  if (!m_placed) ::unlink(m_draft.c_str());
}

Result<void> OutputFile::put(std::string_view bytes) {
  m_buffer += bytes;
  return m_buffer.size() < k_packed_block ? Result<void>() : flush();
}

Result<void> OutputFile::flush() {
  std::string_view bytes = m_buffer;
  while (!bytes.empty()) {
    const ssize_t written = ::write(m_file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return cannot_write(m_path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  m_buffer.clear();
  return {};
}

tl::unexpected<Failure> OutputFile::cannot_pack() const {
  return failed(FailureKind::environment,
                fmt::format("cannot write '{}': the packing library refuses", m_path.string()));
}

Result<std::uint64_t> OutputFile::finish() {
  if (const auto ended = end(); !ended) return failed(ended);
  if (const auto flushed = flush(); !flushed) return failed(flushed);
  struct stat status {};
  if (::fsync(m_file.get()) != 0 || ::fstat(m_file.get(), &status) != 0) return cannot_write(m_path, errno);
  if (::rename(m_draft.c_str(), m_path.c_str()) != 0) return cannot_write(m_path, errno);
  m_placed = true;
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace lockkeeper::engine
