#include "engine/postgres/sample.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/sample_session.h"

namespace lockkeeper::engine::postgres {

namespace {

constexpr std::size_t k_rows_of_a_copy = 50'000;

/// Writes the parts of a fixture one after the other.
class SampleWriter {
 public:
  SampleWriter(Connection& session, const SampleSource& source, const SampleRequest& request, OutputFile& out)
      : m_session(session), m_source(source), m_request(request), m_out(out) {}

  /// `closure` is null where all rows are taken.
  Result<SampledTable> write_table(std::size_t table, const Closure* closure);
  Result<void> write_sequence(const SourceSequence& sequence);

 private:
  Result<void> copy(std::size_t table, const std::string& sql);
  std::string selected(std::size_t table, const SourceLeaf& leaf) const;

  Connection& m_session;
  const SampleSource& m_source;
  const SampleRequest& m_request;
  OutputFile& m_out;
  std::int64_t m_rows = 0;
};

std::vector<const SourceColumn*> stored_columns(const SourceTable& table) {
  std::vector<const SourceColumn*> columns;
  for (const SourceColumn& column : table.columns) {
    if (!column.generated) columns.push_back(&column);
  }
  return columns;
}

std::string SampleWriter::selected(std::size_t table, const SourceLeaf& leaf) const {
  std::vector<std::string> expressions;
  for (const SourceColumn* column : stored_columns(m_source.tables[table]))
    expressions.push_back(m_request.masking.expression(table, *column));
  return fmt::format("SELECT {} FROM ONLY {} t", join(expressions, ", "), leaf.quoted);
}

Result<void> SampleWriter::copy(std::size_t table, const std::string& sql) {
  const auto copied = m_session.copy_out(fmt::format("COPY ({}) TO STDOUT", sql), [&](std::string_view row) {
    ++m_rows;
    return m_out.write(row);
  });
  if (!copied) return failed(copied);
  if (copied->sqlstate.empty()) return {};
  return tl::unexpected<Failure>(
      source_failure(fmt::format("read the rows of '{}'", m_source.tables[table].written()), *copied));
}

Result<SampledTable> SampleWriter::write_table(std::size_t table, const Closure* closure) {
  const SourceTable& source = m_source.tables[table];
  std::vector<std::string> names;
  for (const SourceColumn* column : stored_columns(source)) names.push_back(column->quoted);
  SampledTable sampled{source.written()};
  // COPY knows no row without columns.
  if (names.empty()) return sampled;
  m_request.progress(fmt::format("reading {}", source.written()));
  if (const auto put =
          m_out.write(fmt::format("COPY {} ({}) FROM stdin;\n", source.quoted, join(names, ", ")));
      !put)
    return failed(put);
  m_rows = 0;
  for (std::size_t leaf = 0; leaf < source.leaves.size(); ++leaf) {
    const std::string all = selected(table, source.leaves[leaf]);
    if (closure == nullptr || closure->is_whole(table)) {
      if (const auto copied = copy(table, all); !copied) return failed(copied);
      continue;
    }
    const auto& rows = closure->rows(table, leaf);
    for (std::size_t from = 0; from < rows.size(); from += k_rows_of_a_copy) {
      const std::size_t to = std::min(rows.size(), from + k_rows_of_a_copy);
      const std::string order = key_order(source, Direction::up);
      const auto copied = copy(table, fmt::format("{} WHERE t.ctid = ANY ('{}'::pg_catalog.tid[]){}{}", all,
                                                  tid_array(rows.data() + from, rows.data() + to),
                                                  order.empty() ? "" : " ORDER BY ", order));
      if (!copied) return failed(copied);
    }
  }
  if (const auto put = m_out.write("\\.\n\n"); !put) return failed(put);
  sampled.rows = m_rows;
  sampled.counted = closure == nullptr || closure->is_whole(table);
  sampled.of = sampled.counted ? m_rows : 0;
  for (const SourceLeaf& leaf : source.leaves) {
    if (sampled.counted) break;
    sampled.of = leaf.estimate < 0 || sampled.of < 0 ? -1 : sampled.of + leaf.estimate;
  }
  return sampled;
}

Result<void> SampleWriter::write_sequence(const SourceSequence& sequence) {
  const auto state = m_session.ask("SELECT last_value, is_called FROM " + sequence.quoted);
  if (!state) return failed(state);
  if (!state->sqlstate.empty())
    return tl::unexpected<Failure>(
        source_failure(fmt::format("read sequence '{}'", sequence.written), *state));
  const auto& row = state->rows.at(0);
  return m_out.write(fmt::format("SELECT pg_catalog.setval({}, {}, {});\n",
                                 m_session.quoted_text(sequence.quoted), row.at(0).value_or("1"),
                                 row.at(1) == "t" ? "true" : "false"));
}

std::vector<std::string> how_taken(const SampleSource& source, const SampleRequest& request) {
  std::vector<std::string> how;
  if (!request.amount) {
    how.emplace_back("all rows");
  } else {
    how.push_back(fmt::format(
        "sampled: {} of each table from both ends of its key, with all rows that foreign keys lead to",
        request.amount->percent > 0 ? fmt::format("{} %", request.amount->percent)
                                    : counted(request.amount->rows, "row")));
  }
  for (const std::string& column : request.masking.described(source)) how.push_back("masked: " + column);
  for (const std::string& remark : source.remarks) how.push_back("left out: " + remark);
  return how;
}

/// A name may hold an end of line, and what follows it would be a statement.
std::string comment_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  std::ranges::replace(text, '\r', ' ');
  return "-- " + text + "\n";
}

}  // namespace

std::string fixture_header(const SampleSource& source, const std::string& taken_at,
                           const std::vector<std::string>& how) {
  // Beginning and end tell a reader whether the file was cut off.
  std::string header = "--\n-- PostgreSQL database dump\n--\n\n";
  header += comment_line(
      fmt::format("taken by lockkeeper snapshot at {} from PostgreSQL {}", taken_at, source.version));
  for (const std::string& line : how) header += comment_line(line);
  return header + "\n";
}

Result<std::vector<SampledTable>> write_sample(Connection& session, const SampleSource& source,
                                               const Dump& dump, const SampleRequest& request,
                                               OutputFile& out) {
  if (const auto salted = request.masking.set_salt(session, request.salt); !salted) return failed(salted);
  request.progress("reading the schema");
  const auto schema = dump.schema(request.directory);
  if (!schema) return failed(schema);
  std::optional<Closure> closure;
  if (request.amount) {
    auto found = Closure::find(session, source, *request.amount, request.progress);
    if (!found) return failed(found);
    closure = std::move(*found);
  }
  const std::string header = fixture_header(source, request.taken_at, how_taken(source, request));
  if (const auto put = out.write(header + schema->before); !put) return failed(put);
  SampleWriter writer(session, source, request, out);
  std::vector<SampledTable> tables;
  for (std::size_t table = 0; table < source.tables.size(); ++table) {
    auto written = writer.write_table(table, closure ? &*closure : nullptr);
    if (!written) return failed(written);
    tables.push_back(std::move(*written));
  }
  for (const SourceSequence& sequence : source.sequences) {
    if (const auto put = writer.write_sequence(sequence); !put) return failed(put);
  }
  std::string end = "\n" + schema->after;
  for (const std::string& view : source.materialized_views)
    end += fmt::format("REFRESH MATERIALIZED VIEW {};\n", view);
  end += "\n--\n-- PostgreSQL database dump complete\n--\n";
  if (const auto put = out.write(end); !put) return failed(put);
  return tables;
}

}  // namespace lockkeeper::engine::postgres
