#include "engine/postgres/state_reader.h"

#include <algorithm>
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

void add_rows(CatalogReader& reader, const std::vector<Connection::Row>& rows) {
  CatalogReader::Row values;
  for (const Connection::Row& row : rows) {
    values.clear();
    for (const auto& value : row) values.push_back(value ? value->c_str() : nullptr);
    reader.add(values);
  }
}

}  // namespace

struct StateReader::Session {
  explicit Session(Connection opened)
      : connection(std::move(opened)), query(connection.server_version() / 10000) {}

  /// Runs a query that is prepared at its first use, in a transaction, as one message.
  Result<std::vector<Connection::Row>> execute(const std::string& name, const std::string& sql,
                                               bool& prepared);
  Result<Catalog> read_catalog();
  Result<std::vector<SequencePosition>> positions(const std::vector<SequenceRow>& sequences);

  Connection connection;
  CatalogQuery query;
  bool usual_prepared = false;
  bool rare_prepared = false;
  std::string positions_sql;  ///< what lockkeeper_positions is prepared for
};

Result<std::vector<Connection::Row>> StateReader::Session::execute(const std::string& name,
                                                                   const std::string& sql, bool& prepared) {
  std::string message;
  if (!prepared) message += fmt::format("PREPARE {} AS {};", name, sql);
  message += fmt::format("BEGIN; {} EXECUTE {}; COMMIT", k_plan_settings, name);
  auto answered = connection.ask(message);
  if (!answered) return failed(answered);
  if (!answered->sqlstate.empty()) {
    connection.run_to_end("ROLLBACK");
    return failed(FailureKind::environment,
                  fmt::format("cannot read the catalog: {} ({}){}", answered->message, answered->sqlstate,
                              answered->context));
  }
  prepared = true;
  return std::move(answered->rows);
}

Result<Catalog> StateReader::Session::read_catalog() {
  CatalogReader reader(query);
  auto rows = execute("lockkeeper_catalog", query.sql(), usual_prepared);
  if (!rows) return failed(rows);
  add_rows(reader, *rows);
  rows->clear();
  if (reader.needs_rare()) {
    rows = execute("lockkeeper_rare", query.rare_sql(), rare_prepared);
    if (!rows) return failed(rows);
    add_rows(reader, *rows);
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
      connection.run_to_end("DEALLOCATE ALL");
      usual_prepared = rare_prepared = false;
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
  m_session.reset();
}

Result<void> StateReader::ensure_session() {
  if (m_session != nullptr && m_session->connection.usable()) return {};
  m_session.reset();
  auto opened = open_state_session(m_connection);
  if (!opened) return failed(opened);
  m_session = std::make_unique<Session>(std::move(*opened));
  return {};
}

Result<State> StateReader::read_once(const State* previous, const Touched& touched, const Since& earlier) {
  if (const auto session = ensure_session(); !session) return failed(session);
  auto catalog = m_session->read_catalog();
  if (!catalog) return failed(catalog);
  if (const auto counted = count_large_objects_as_rows(m_session->connection, *catalog); !counted)
    return failed(counted);
  State state;
  auto tables = ContentReader(m_session->connection, *catalog).read(previous, touched, earlier);
  if (!tables) return failed(tables);
  auto sequences = m_session->positions(catalog->sequences);
  if (!sequences) return failed(sequences);
  state.tables = std::move(*tables);
  state.sequences = std::move(*sequences);
  state.objects = std::move(catalog->objects);
  return state;
}

Result<State> StateReader::read(const State* previous, const Touched& touched, const Since& earlier) {
  const bool had_session = m_session != nullptr;
  auto state = read_once(previous, touched, earlier);
  // A migration may have ended our session; one that was lost in the middle of a fresh one is another matter.
  const bool lost = !state && had_session && m_session != nullptr && !m_session->connection.usable();
  return lost && state.error().kind != FailureKind::interrupted ? read_once(previous, touched, earlier)
                                                                : std::move(state);
}

Result<void> StateReader::restore_sequences(const State& state) {
  if (const auto session = ensure_session(); !session) return failed(session);
  const auto catalog = m_session->read_catalog();
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

Result<std::vector<record::SchemaFact>> StateReader::violated_constraints(const Touched& touched) {
  if (const auto session = ensure_session(); !session) return failed(session);
  return find_violations(m_session->connection, touched);
}

}  // namespace lockkeeper::engine::postgres
