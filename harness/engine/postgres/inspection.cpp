#include "engine/postgres/inspection.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/inspection_queries.h"
#include "engine/postgres/inspection_session.h"
#include "engine/postgres/tool_books.h"

namespace lockkeeper::engine::postgres {

namespace {

/// Catalogs are rarely analyzed: hash joins stay linear whatever the planner believes.
constexpr const char* k_catalog_plans = "SET LOCAL enable_nestloop = off";

/// Not even tried: a refusal would stand in the log of the server.
std::string may_not_read(const std::string& tables) {
  return fmt::format("this role may not read it: GRANT SELECT ON {} TO it", tables);
}

std::optional<BookEntry::State> book_state(const std::string& word) {
  using enum BookEntry::State;
  static const std::map<std::string, BookEntry::State> k_states = {{"in", in},
                                                                   {"to", in_with_all_before},
                                                                   {"out", out},
                                                                   {"failed", failed},
                                                                   {"dirty", failed_behind_all_before}};
  const auto found = k_states.find(word);
  return found == k_states.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

struct Inspection::Session {
  using Rows = InspectionSession::Rows;

  Result<void> look_at_server(Inspected& seen);
  Result<void> look_at_sizes(Inspected& seen);
  Result<void> look_for_troubles(Inspected& seen);
  Result<void> look_for_orphans(Inspected& seen);
  Result<void> look_at_books(Inspected& seen);
  /// The rows, none where they cannot be seen.
  Result<Rows> ask(const std::string& what, std::string_view sql, Inspected& seen) {
    auto rows = session.rows(what, std::string(sql), seen.unseen);
    if (!rows) return failed(rows);
    return std::move(*rows).value_or(Rows());
  }

  InspectionSession session;
};

Result<Inspection> Inspection::open(const InspectionOptions& options) {
  auto session = InspectionSession::open(options);
  if (!session) return failed(session);
  return Inspection(std::make_unique<Session>(Session{std::move(*session)}));
}

Inspection::Inspection(std::unique_ptr<Session> session) : m_session(std::move(session)) {}
Inspection::Inspection(Inspection&&) noexcept = default;
Inspection::~Inspection() = default;

Result<void> Inspection::Session::look_at_server(Inspected& seen) {
  InspectedServer& server = seen.server;
  server.major = session.major();
  const auto found = ask("the server", queries::k_server, seen);
  if (!found) return failed(found);
  for (const auto& row : *found) {
    server.version = text_in(row, 0);
    server.database = text_in(row, 1);
    server.role = text_in(row, 2);
    server.encoding = text_in(row, 3);
    server.collation = text_in(row, 4);
    server.is_standby = is_true_in(row, 5);
    server.sees_others = is_true_in(row, 6);
    server.counted_since = text_in(row, 7);
  }
  const auto settings = ask("settings", queries::k_settings, seen);
  if (!settings) return failed(settings);
  for (const auto& row : *settings) server.settings[text_in(row, 0)] = text_in(row, 1);
  if (!server.sees_others) {
    seen.unseen.push_back({"what sessions of other roles do, and how standbys lag behind",
                           fmt::format("role '{}' may not see it: GRANT pg_monitor TO it", server.role)});
  }
  return {};
}

Result<void> Inspection::Session::look_at_sizes(Inspected& seen) {
  const auto bytes = ask("the size of the database", queries::k_bytes, seen);
  if (!bytes) return failed(bytes);
  for (const auto& row : *bytes) seen.server.bytes = number_in(row, 0);
  const auto tables = ask("sizes of tables", queries::k_tables, seen);
  if (!tables) return failed(tables);
  for (const auto& row : *tables) {
    seen.tables.push_back(
        {text_in(row, 0), number_in(row, 1), number_in(row, 2), is_true_in(row, 3), is_true_in(row, 4)});
  }
  const auto indexes = ask("use of indexes", queries::k_indexes, seen);
  if (!indexes) return failed(indexes);
  for (const auto& row : *indexes) {
    seen.indexes.push_back({text_in(row, 0), text_in(row, 1), number_in(row, 2).value_or(0),
                            number_in(row, 3), is_true_in(row, 4)});
  }
  return {};
}

Result<void> Inspection::Session::look_for_troubles(Inspected& seen) {
  for (const queries::TroubleQuery& query : queries::troubles()) {
    const auto found = ask(std::string(query.title), query.sql, seen);
    if (!found) return failed(found);
    for (const auto& row : *found) {
      seen.troubles.push_back(
          {std::string(query.kind), text_in(row, 1), text_in(row, 2), is_true_in(row, 0)});
    }
  }
  return {};
}

Result<void> Inspection::Session::look_for_orphans(Inspected& seen) {
  const auto keys = ask("foreign keys that are NOT VALID", queries::k_unvalidated_foreign_keys, seen);
  if (!keys) return failed(keys);
  for (const auto& key : *keys) {
    const std::string what = fmt::format("orphans of {}", text_in(key, 0));
    if (!is_true_in(key, 6)) {
      seen.unseen.push_back({what, may_not_read(text_in(key, 1) + ", " + text_in(key, 5))});
      continue;
    }
    const auto found = ask(
        what,
        queries::orphans(text_in(key, 1), text_in(key, 2), text_in(key, 3), text_in(key, 4), text_in(key, 5)),
        seen);
    if (!found) return failed(found);
    const auto orphans = found->empty() ? 0 : number_in(found->front(), 0).value_or(0);
    if (orphans == 0) continue;
    seen.troubles.push_back({std::string(queries::k_orphan_kind), text_in(key, 0),
                             fmt::format("{} of the first 10,000 of {} refer to none of {}",
                                         counted(orphans, "row"), text_in(key, 1), text_in(key, 5)),
                             true});
  }
  return {};
}

Result<void> Inspection::Session::look_at_books(Inspected& seen) {
  const auto tables = ask("tables of migration tools", find_books(), seen);
  if (!tables) return failed(tables);
  for (const auto& row : *tables) {
    const KnownBook* known = book_of(text_in(row, 1), split(text_in(row, 2), ','));
    if (known == nullptr) continue;
    ToolBook book{std::string(known->tool), text_in(row, 0), {}};
    const std::string what = fmt::format("{} of {}", book.table, known->tool);
    if (!is_true_in(row, 3)) {
      seen.unseen.push_back({what, may_not_read(book.table)});
      continue;
    }
    const std::string sql =
        fmt::format("SELECT * FROM ({}) b LIMIT 20000", fmt::format(fmt::runtime(known->query), book.table));
    const auto entries = session.rows(what, sql, seen.unseen);
    if (!entries) return failed(entries);
    if (!*entries) continue;
    for (const auto& entry : **entries) {
      if (const auto state = book_state(text_in(entry, 1)))
        book.entries.push_back({text_in(entry, 0), *state});
    }
    seen.books.push_back(std::move(book));
  }
  return {};
}

Result<Inspected> Inspection::look() {
  Inspected seen;
  for (const auto look : {&Session::look_at_server, &Session::look_at_sizes, &Session::look_for_troubles,
                          &Session::look_for_orphans, &Session::look_at_books}) {
    const auto done = ((*m_session).*look)(seen);
    if (!done) return failed(done);
  }
  return seen;
}

Result<std::optional<State>> Inspection::read_schema(std::vector<Unseen>& unseen) {
  InspectionSession& session = m_session->session;
  if (const auto set = session.run(k_catalog_plans); !set) return failed(set);
  const CatalogQuery query(session.major(), CatalogScope::schema_alone);
  CatalogReader reader(query, nullptr);
  const auto read = [&](const std::string& sql) {
    return session.each_row("the schema", sql, unseen, [&](Connection::Values row) { reader.add(row); });
  };
  auto whole = read(query.sql());
  const std::set<std::size_t> needed = reader.needed();
  for (auto piece = needed.begin(); whole && *whole && piece != needed.end(); ++piece)
    whole = read(query.more_sql(*piece));
  if (!whole) return failed(whole);
  if (!*whole) return std::optional<State>();
  State state;
  state.objects = reader.finish().objects;
  return std::optional(std::move(state));
}

TroubleText text_of_trouble(std::string_view kind) {
  if (kind == queries::k_orphan_kind) {
    return {"orphans of foreign keys that are NOT VALID",
            "mend or delete these rows: VALIDATE CONSTRAINT fails on them, and so does adding the key anew"};
  }
  const auto known = queries::troubles();
  const auto found = std::ranges::find(known, kind, &queries::TroubleQuery::kind);
  return found == known.end() ? TroubleText{} : TroubleText{found->title, found->advice};
}

std::vector<InspectionStatement> inspection_statements(const InspectionOptions& options, int major,
                                                       WithSchema schema) {
  std::vector<InspectionStatement> all = statements_before(options);
  for (auto& statement : statements_around()) all.push_back(std::move(statement));
  all.push_back({"the server", std::string(queries::k_server)});
  all.push_back({"settings", std::string(queries::k_settings)});
  all.push_back({"the size of the database", std::string(queries::k_bytes)});
  all.push_back({"sizes of tables", std::string(queries::k_tables)});
  all.push_back({"use of indexes", std::string(queries::k_indexes)});
  for (const auto& query : queries::troubles()) all.push_back({query.title, std::string(query.sql)});
  all.push_back({"foreign keys that are NOT VALID", std::string(queries::k_unvalidated_foreign_keys)});
  all.push_back(
      {"orphans, for each of these",
       queries::orphans("«table»", "«columns»", "«columns IS NOT NULL»", "«p.key = c.columns»", "«table»")});
  all.push_back({"tables of migration tools", find_books()});
  for (const KnownBook& book : known_books()) {
    all.push_back(
        {book.tool, fmt::format("SELECT * FROM ({}) b LIMIT 20000",
                                fmt::format(fmt::runtime(book.query), fmt::format("«{}»", book.table)))});
  }
  if (schema == WithSchema::yes) {
    const CatalogQuery query(major, CatalogScope::schema_alone);
    all.push_back({"the schema", k_catalog_plans});
    all.push_back({"the schema", query.sql()});
    for (std::size_t piece = 0; piece < query.pieces(); ++piece) {
      if (query.has_more(piece))
        all.push_back({"the schema, what few databases have", query.more_sql(piece)});
    }
  }
  all.push_back(statement_at_the_end());
  return all;
}

}  // namespace lockkeeper::engine::postgres
