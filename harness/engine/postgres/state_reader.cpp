#include "engine/postgres/state_reader.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/content.h"
#include "engine/postgres/large_objects.h"
#include "engine/postgres/state_session.h"
#include "engine/postgres/violations.h"

namespace lockkeeper::engine::postgres {
namespace {

constexpr std::size_t k_sequences_at_once = 200;

/// The planner does not know how many rows migrations have made (catalogs are not analyzed), and would loop
/// over them; hash joins stay linear whatever it believes.
constexpr const char* k_plan_settings = "SET LOCAL enable_nestloop = off;";

/// The newest of the tables whose content is going to be taken over from `previous`: whether they are empty
/// need not be asked. 0 where all are to be read. OIDs grow; where the counter has wrapped, this only costs
/// time.
std::uint64_t newest_known(const State* previous, const Touched& touched) {
  if (previous == nullptr || touched.everything) return 0;
  std::uint64_t newest = 0;
  std::uint64_t oldest_touched = std::numeric_limits<std::uint32_t>::max();
  for (const Object& object : previous->objects) {
    if (object.kind != "table") continue;
    newest = std::max(newest, object.oid);
    if (touched.tables.contains(object.identity)) oldest_touched = std::min(oldest_touched, object.oid);
  }
  return std::min(newest, oldest_touched - 1);
}

/// The tables, those that `previous` has alike shared with it.
SharedList<TableContent> shared(std::vector<TableContent>& tables, const State* previous) {
  SharedList<TableContent> list;
  list.reserve(tables.size());
  std::size_t old = 0;
  const std::size_t olds = previous == nullptr ? 0 : previous->tables.size();
  for (TableContent& table : tables) {
    while (old < olds && previous->tables[old].table < table.table) ++old;
    if (old < olds && previous->tables[old] == table) {
      list.share(previous->tables.shared(old));
    } else {
      list.push_back(std::move(table));
    }
  }
  return list;
}

/// Takes tables, and all that hangs on them, out of what was read.
void leave_out(Catalog& catalog, const std::set<std::string>& tables) {
  if (tables.empty()) return;
  std::set<std::string> gone = tables;
  SharedList<Object> objects;
  objects.reserve(catalog.objects.size());
  for (std::size_t i = 0; i < catalog.objects.size(); ++i) {
    const Object& object = catalog.objects[i];
    if (tables.contains(object.identity) || tables.contains(object.parent)) {
      if (object.kind == "sequence") gone.insert(object.identity);
    } else {
      objects.share(catalog.objects.shared(i));
    }
  }
  catalog.objects = std::move(objects);
  std::erase_if(catalog.heaps, [&](const Heap& heap) { return gone.contains(heap.identity); });
  std::erase_if(catalog.sequences, [&](const SequenceRow& row) { return gone.contains(row.identity); });
}

std::string name_of_piece(std::size_t piece) {
  return fmt::format("lockkeeper_catalog_{}", piece);
}

}  // namespace

struct StateReader::Session {
  explicit Session(Connection opened)
      : connection(std::move(opened)), query(connection.server_version() / 10000) {}

  /// Runs prepared statements in a transaction, as one message.
  Result<void> execute(CatalogReader& reader, const std::string& prepare, const std::string& statements);
  /// Reads what `pieces` need statements of their own for.
  Result<void> read_more(CatalogReader& reader, const std::set<std::size_t>& pieces);
  Result<Catalog> read_catalog(const State* previous, const Touched& touched);
  Result<std::vector<SequencePosition>> positions(const std::vector<SequenceRow>& sequences);
  std::string prepare_statement() const {
    return fmt::format("PREPARE lockkeeper_catalog (oid) AS {};", query.sql());
  }
  void forget_prepared();

  Connection connection;
  CatalogQuery query;
  bool prepared = false;  ///< the usual pieces
  std::set<std::size_t> more_prepared;
  std::set<std::size_t> expected;  ///< the pieces that the last read needed more for
  std::string positions_sql;       ///< what lockkeeper_positions is prepared for
};

void StateReader::Session::forget_prepared() {
  connection.run_to_end("DEALLOCATE ALL");
  prepared = false;
  more_prepared.clear();
  positions_sql.clear();
}

Result<void> StateReader::Session::execute(CatalogReader& reader, const std::string& prepare,
                                           const std::string& statements) {
  const auto answered =
      connection.each_row(fmt::format("{} BEGIN; {} {} COMMIT", prepare, k_plan_settings, statements),
                          [&reader](Connection::Values row) { reader.add(row); });
  if (!answered) return failed(answered);
  if (answered->sqlstate.empty()) return {};
  connection.run_to_end("ROLLBACK");
  forget_prepared();
  return failed(FailureKind::environment, fmt::format("cannot read the catalog: {} ({}){}", answered->message,
                                                      answered->sqlstate, answered->context));
}

Result<void> StateReader::Session::read_more(CatalogReader& reader, const std::set<std::size_t>& pieces) {
  std::string prepare;
  std::string statements;
  for (const std::size_t piece : pieces) {
    if (!more_prepared.contains(piece)) {
      prepare += fmt::format("PREPARE {} AS {};", name_of_piece(piece), query.more_sql(piece));
    }
    statements += fmt::format("EXECUTE {};", name_of_piece(piece));
  }
  if (const auto done = execute(reader, prepare, statements); !done) return done;
  more_prepared.insert(pieces.begin(), pieces.end());
  return {};
}

/// What was needed last time mostly is again, and is asked for along with the usual.
Result<Catalog> StateReader::Session::read_catalog(const State* previous, const Touched& touched) {
  CatalogReader reader(query, previous);
  std::string statements = fmt::format("EXECUTE lockkeeper_catalog ({});", newest_known(previous, touched));
  std::set<std::size_t> done;
  std::ranges::set_intersection(expected, more_prepared, std::inserter(done, done.end()));
  for (const std::size_t piece : done) statements += fmt::format("EXECUTE {};", name_of_piece(piece));
  if (const auto read = execute(reader, prepared ? "" : prepare_statement(), statements); !read)
    return failed(read);
  prepared = true;
  expected = reader.needed();
  std::set<std::size_t> missing;
  std::ranges::set_difference(expected, done, std::inserter(missing, missing.end()));
  if (!missing.empty()) {
    if (const auto read = read_more(reader, missing); !read) return failed(read);
  }
  return reader.finish();
}

/// What the catalog does not know of a sequence that nothing was taken from: whether RESTART or setval()
/// moved it. Prepared, since mostly the same sequences are asked again.
Result<std::vector<SequencePosition>> StateReader::Session::positions(
    const std::vector<SequenceRow>& sequences) {
  std::vector<SequencePosition> result;
  std::vector<std::size_t> unused;
  for (const SequenceRow& sequence : sequences) {
    if (sequence.last.empty()) unused.push_back(result.size());
    result.push_back({sequence.identity, sequence.last.empty() ? "unused" : sequence.last});
  }
  for (std::size_t from = 0; from < unused.size(); from += k_sequences_at_once) {
    std::vector<std::string> selects;
    for (std::size_t i = from; i < std::min(unused.size(), from + k_sequences_at_once); ++i) {
      selects.push_back(
          fmt::format("SELECT {}, last_value, is_called FROM {}", unused[i], sequences[unused[i]].identity));
    }
    const std::string sql = join(selects, " UNION ALL ");
    std::string message = "EXECUTE lockkeeper_positions";
    if (sql != positions_sql) {
      message = fmt::format("{} PREPARE lockkeeper_positions AS {}; {}",
                            positions_sql.empty() ? "" : "DEALLOCATE lockkeeper_positions;", sql, message);
    }
    positions_sql.clear();
    const auto rows = connection.rows(message);
    if (!rows) {
      forget_prepared();
      return failed(rows);
    }
    positions_sql = sql;
    for (const auto& row : *rows) {
      const std::size_t place = std::stoul(row[0].value());
      if (row[2] == "t") result[place].position = row[1].value();
      if (row[2] == "f" && row[1] != sequences[place].start)
        result[place].position = "before " + row[1].value();
    }
  }
  return result;
}

StateReader::StateReader(std::string connection) : m_connection(std::move(connection)) {}

StateReader::~StateReader() = default;

void StateReader::close() {
  if (m_ahead.valid()) m_ahead.get();
  m_session.reset();
}

Result<std::unique_ptr<StateReader::Session>> StateReader::open(const std::string& connection) {
  auto opened = open_state_session(connection);
  if (!opened) return failed(opened);
  return std::make_unique<Session>(std::move(*opened));
}

void StateReader::open_ahead() {
  m_ahead = std::async(std::launch::async, [connection = m_connection]() {
    auto session = open(connection);
    if (session) {
      (*session)->prepared = (*session)->connection.rows((*session)->prepare_statement()).has_value();
    }
    return session;
  });
}

Result<void> StateReader::ensure_session() {
  // What went wrong ahead is tried again, and told of, when it is needed.
  if (m_ahead.valid()) {
    if (auto ahead = m_ahead.get()) m_session = std::move(*ahead);
  }
  if (m_session != nullptr && m_session->connection.usable()) return {};
  auto opened = open(m_connection);
  if (!opened) return failed(opened);
  m_session = std::move(*opened);
  return {};
}

Result<State> StateReader::read_once(const State* previous, const Touched& touched, const Since& earlier) {
  if (const auto session = ensure_session(); !session) return failed(session);
  auto catalog = m_session->read_catalog(previous, touched);
  if (!catalog) return failed(catalog);
  leave_out(*catalog, m_set_apart);
  if (const auto counted = count_large_objects_as_rows(m_session->connection, *catalog); !counted)
    return failed(counted);
  State state;
  auto tables = ContentReader(m_session->connection, *catalog).read(previous, touched, earlier);
  if (!tables) return failed(tables);
  auto sequences = m_session->positions(catalog->sequences);
  if (!sequences) return failed(sequences);
  state.tables = shared(*tables, previous);
  state.sequences = std::move(*sequences);
  state.objects = std::move(catalog->objects);
  return state;
}

Result<State> StateReader::read(const State* previous, const Touched& touched, const Since& earlier) {
  const bool had_session = m_session != nullptr || m_ahead.valid();
  auto state = read_once(previous, touched, earlier);
  // A migration may have ended our session; one that was lost in the middle of a fresh one is another matter.
  const bool lost = !state && had_session && m_session != nullptr && !m_session->connection.usable();
  return lost && state.error().kind != FailureKind::interrupted ? read_once(previous, touched, earlier)
                                                                : std::move(state);
}

Result<void> StateReader::restore_sequences(const State& state) {
  if (const auto session = ensure_session(); !session) return failed(session);
  const auto catalog = m_session->read_catalog(&state, {});
  if (!catalog) return failed(catalog);
  const auto now = m_session->positions(catalog->sequences);
  if (!now) return failed(now);
  std::vector<std::string> calls;
  for (const SequencePosition& wanted : state.sequences) {
    const auto found = std::ranges::find(*now, wanted.sequence, &SequencePosition::sequence);
    if (found == now->end() || found->position == wanted.position) continue;
    const std::string& start = catalog->sequences[static_cast<std::size_t>(found - now->begin())].start;
    const bool before = wanted.position.starts_with("before ");
    const std::string value = wanted.position == "unused" ? start
                              : before                    ? wanted.position.substr(7)
                                                          : wanted.position;
    calls.push_back(fmt::format("setval({}::regclass, {}, {})",
                                m_session->connection.quoted_text(wanted.sequence), value,
                                !before && wanted.position != "unused"));
  }
  for (const std::string& call : calls) {
    if (const auto set = m_session->connection.rows("SELECT " + call); !set) return failed(set);
  }
  return {};
}

Result<std::vector<record::SchemaFact>> StateReader::violated_constraints(const Touched& touched,
                                                                          const Step& step) {
  if (const auto session = ensure_session(); !session) return failed(session);
  return find_violations(m_session->connection, touched, step);
}

}  // namespace lockkeeper::engine::postgres
