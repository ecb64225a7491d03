#include "history/load.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "base/text.h"
#include "history/atlas_sum.h"
#include "history/evidence.h"
#include "history/format.h"
#include "history/formats/alembic.h"
#include "history/formats/atlas.h"
#include "history/formats/commands.h"
#include "history/formats/dbmate.h"
#include "history/formats/diesel.h"
#include "history/formats/django.h"
#include "history/formats/drizzle.h"
#include "history/formats/flyway.h"
#include "history/formats/golang_migrate.h"
#include "history/formats/goose.h"
#include "history/formats/hasura.h"
#include "history/formats/knex.h"
#include "history/formats/liquibase.h"
#include "history/formats/maragudk.h"
#include "history/formats/morph.h"
#include "history/formats/node_pg_migrate.h"
#include "history/formats/plain.h"
#include "history/formats/popx.h"
#include "history/formats/prisma.h"
#include "history/formats/rails.h"
#include "history/formats/script.h"
#include "history/formats/sequelize.h"
#include "history/formats/sqitch.h"
#include "history/formats/sql_migrate.h"
#include "history/formats/sqlx.h"
#include "history/formats/supabase.h"
#include "history/formats/tern.h"

namespace lockkeeper::history {

namespace {

/// Every format there is. A further one is one more file in formats/ and one more line here.
const std::vector<Format>& all_formats() {
  static const std::vector<Format> k_formats = {
      formats::alembic::format(),   formats::knex::format(),
      formats::sequelize::format(), formats::django::format(),
      formats::rails::format(),     formats::commands::format(),
      formats::script::format(),    formats::golang_migrate::format(),
      formats::morph::format(),     formats::popx::format(),
      formats::maragudk::format(),  formats::dbmate::format(),
      formats::goose::format(),     formats::sql_migrate::format(),
      formats::tern::format(),      formats::sqlx::format(),
      formats::supabase::format(),  formats::atlas::format(),
      formats::diesel::format(),    formats::hasura::format(),
      formats::sqitch::format(),    formats::flyway::format(),
      formats::prisma::format(),    formats::drizzle::journal(),
      formats::drizzle::folders(),  formats::node_pg_migrate::format(),
      formats::liquibase::format(), formats::plain::files(),
      formats::plain::folders(),
  };
  return k_formats;
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const Format& format : all_formats()) names.push_back(format.name);
  return names;
}

constexpr std::string_view k_layouts_hint = "'lockkeeper history --formats' shows the layouts that are read";

tl::unexpected<Failure> nothing_fits(const Folder& folder) {
  if (folder.entries().empty()) {
    return failed(FailureKind::usage, fmt::format("migrations '{}': the folder is empty", folder.path()),
                  std::string(k_layouts_hint));
  }
  std::vector<std::string> seen;
  const auto see = [&](bool sql_only) {
    for (const Entry& entry : folder.entries()) {
      if (seen.size() < 3 && entry.name.ends_with(".sql") == sql_only)
        seen.push_back(fmt::format("'{}'", entry.name));
    }
  };
  see(true);
  if (seen.empty()) see(false);
  return failed(
      FailureKind::usage,
      fmt::format("migrations '{}': no file fits a layout that is read, seen were {}{}", folder.path(),
                  join(seen, ", "), folder.entries().size() > seen.size() ? ", …" : ""),
      std::string(k_layouts_hint));
}

struct Detected {
  const Format* format = nullptr;
  Fit fit;
};

/// What is sure goes before what is possible; two of the same kind are one too many.
Result<Detected> detect(const Folder& folder) {
  std::vector<Detected> sure;
  std::vector<Detected> possible;
  for (const Format& format : all_formats()) {
    Fit fit = format.fits(folder);
    if (fit.how == Fit::How::sure) sure.push_back({&format, std::move(fit)});
    if (fit.how == Fit::How::possible) possible.push_back({&format, std::move(fit)});
  }
  const auto& fitting = sure.empty() ? possible : sure;
  if (fitting.empty()) return nothing_fits(folder);
  if (fitting.size() == 1) return fitting[0];
  const auto shown = [](const Detected& one) {
    return one.fit.because.empty() ? fmt::format("'{}'", one.format->name)
                                   : fmt::format("'{}' ({})", one.format->name, one.fit.because);
  };
  return failed(
      FailureKind::usage,
      fmt::format("migrations '{}': both {} and {} fit", folder.path(), shown(fitting[0]), shown(fitting[1])),
      "name the format that is meant: --format NAME, or in a scenario: migrations: {path: …, "
      "format: …}");
}

/// migrations/sqlite, db/postgres/migrations: the name of the folder, or of one just above it.
std::optional<sql::Dialect> dialect_by_name(const Folder& folder) {
  constexpr int k_near = 3;
  std::error_code ignored;
  std::filesystem::path at = std::filesystem::absolute(folder.path(), ignored).lexically_normal();
  if (!at.has_filename()) at = at.parent_path();
  for (int i = 0; i < k_near && at.has_filename(); ++i, at = at.parent_path()) {
    const std::string name = lower(at.filename().string());
    if (name == "sqlite" || name == "sqlite3") return sql::Dialect::sqlite;
    if (name == "postgres" || name == "postgresql" || name == "pg") return sql::Dialect::postgres;
  }
  return std::nullopt;
}

/// What was asked for, else what the folder says by itself or by its name, else what its files look like.
Result<sql::Dialect> dialect_of(const Folder& folder, const Detected& chosen,
                                std::optional<sql::Dialect> asked) {
  const std::optional<sql::Dialect> said = chosen.fit.dialect;
  if (asked && said && *asked != *said) {
    return failed(FailureKind::usage,
                  fmt::format("migrations '{}': they are for {} ({})", folder.path(), to_string(*said),
                              chosen.fit.because),
                  fmt::format("the scenario's engine, or --engine, must be {}",
                              *said == sql::Dialect::sqlite ? "sqlite" : "postgres"));
  }
  sql::Dialect dialect = sql::Dialect::postgres;
  const auto named = chosen.format->knows_sqlite ? dialect_by_name(folder) : std::nullopt;
  if (asked || said || named) {
    dialect = asked ? *asked : said ? *said : *named;
  } else if (chosen.format->knows_sqlite && looks_like_sqlite(folder)) {
    dialect = sql::Dialect::sqlite;
  }
  if (dialect == sql::Dialect::sqlite && !chosen.format->knows_sqlite) {
    return failed(
        FailureKind::usage,
        fmt::format("migrations '{}': {} is read for PostgreSQL alone", folder.path(), chosen.format->name),
        "name another format with --format, or the engine postgres");
  }
  return dialect;
}

Result<const Format*> named(const std::string& name) {
  for (const Format& format : all_formats()) {
    if (format.name == name) return &format;
  }
  return failed(FailureKind::usage,
                fmt::format("format '{}': not known{}", name, did_you_mean(name, format_names())),
                fmt::format("the formats are: {}", join(format_names(), ", ")));
}

}  // namespace

bool is_number(const std::string& version) {
  return !version.empty() && version.find_first_not_of("0123456789") == std::string::npos;
}

std::string number_key(const std::string& version) {
  if (!is_number(version)) return version;
  const std::size_t zeros = version.find_first_not_of('0');
  return zeros == std::string::npos ? "0" : version.substr(zeros);
}

bool number_less(const std::string& a, const std::string& b) {
  const auto digits = [](const std::string& number) {
    return number.substr(std::min(number.find_first_not_of('0'), number.size()));
  };
  const std::string left = digits(a);
  const std::string right = digits(b);
  return left.size() != right.size() ? left.size() < right.size() : left < right;
}

std::string without_dashes(std::string version) {
  std::erase(version, '-');
  return version;
}

namespace {

/// Versions as diesel makes them: 20140924113530, 2017-09-23-182408, and with milliseconds
/// 2024-12-04-173106-0000.
bool are_dates(const std::vector<Migration>& migrations, NumberOrder order) {
  constexpr std::size_t k_date_digits = 14;
  bool dashes = false;
  std::size_t shortest = std::string::npos;
  for (const Migration& migration : migrations) {
    const std::string digits = without_dashes(migration.version);
    if (!is_number(digits)) return false;
    dashes = dashes || digits.size() != migration.version.size();
    shortest = std::min(shortest, digits.size());
  }
  return shortest >= k_date_digits && (dashes || order == NumberOrder::dates_as_text);
}

}  // namespace

void sort_by_version(std::vector<Migration>& migrations, NumberOrder order) {
  const bool dates = are_dates(migrations, order);
  const bool numbers =
      !dates && std::all_of(migrations.begin(), migrations.end(),
                            [](const Migration& migration) { return is_number(migration.version); });
  std::sort(migrations.begin(), migrations.end(), [&](const Migration& a, const Migration& b) {
    if (dates) {
      const int compared = without_dashes(a.version).compare(without_dashes(b.version));
      return compared != 0 ? compared < 0 : a.version < b.version;
    }
    if (numbers && number_less(a.version, b.version)) return true;
    if (numbers && number_less(b.version, a.version)) return false;
    return a.version < b.version;
  });
}

Result<Transaction> transaction_named(const std::string& name) {
  static const std::map<std::string, Transaction> k_shapes = {{"", Transaction::of_tool},
                                                              {"per-migration", Transaction::per_migration},
                                                              {"all", Transaction::all},
                                                              {"statement", Transaction::statement},
                                                              {"file", Transaction::file}};
  const auto found = k_shapes.find(name);
  if (found != k_shapes.end()) return found->second;
  return failed(FailureKind::usage,
                fmt::format("transaction '{}': not known{}", name,
                            did_you_mean(name, {"per-migration", "all", "statement", "file"})),
                "it is per-migration, all, statement or file; left out, it is as the tool does it");
}

std::vector<Layout> layouts() {
  std::vector<Layout> result;
  for (const Format& format : all_formats()) result.push_back({format.name, format.layout});
  return result;
}

Result<std::shared_ptr<const sql::Source>> read_source(const std::string& path, sql::Dialect dialect) {
  Result<sql::Source> source = sql::Source::read(path, dialect);
  if (!source) return failed(source);
  return std::make_shared<const sql::Source>(std::move(*source));
}

Result<sql::Script> script_of(Result<sql::Part> part) {
  if (!part) return failed(part);
  sql::Script script;
  script.parts.push_back(std::move(*part));
  return script;
}

Result<History> load(const Request& request) {
  auto history = look(request);
  if (history && history->refused) return tl::unexpected<Failure>(std::move(*history->refused));
  return history;
}

namespace {

/// What the scenario says of the tool goes with every run of it.
void equip(ToolCommand& command, const scenario::Tool& tool) {
  for (const auto& [name, value] : tool.environment) command.command.environment[name] = value;
  if (tool.deadline_seconds) command.deadline = std::chrono::seconds(*tool.deadline_seconds);
}

void equip(Preparation& preparation, const scenario::Tool& tool) {
  preparation.command = [command = std::move(preparation.command), tool] {
    auto equipped = command();
    if (equipped) equip(*equipped, tool);
    return equipped;
  };
}

void equip(Migration& migration, const scenario::Tool& tool) {
  if (!migration.command || tool.empty()) return;
  if (migration.dry_run) {
    migration.dry_run = [command = std::move(migration.dry_run), tool](const Migration& one) {
      auto equipped = command(one);
      if (equipped) equip(*equipped, tool);
      return equipped;
    };
  }
  migration.command = [command = std::move(migration.command), tool](const Migration& one,
                                                                     record::Side side) {
    auto equipped = command(one, side);
    if (equipped) equip(*equipped, tool);
    return equipped;
  };
}

/// A program outside makes its own table, which in SQLite stands in no schema.
void leave_schemas_out(History& history) {
  if (!history.bookkeeping || !history.bookkeeping->create.empty()) return;
  auto books = std::make_shared<Bookkeeping>(*history.bookkeeping);
  for (std::string& table : books->tables) table = table.substr(table.rfind('.') + 1);
  history.bookkeeping = std::move(books);
}

}  // namespace

Result<History> look(const Request& request) {
  Result<Folder> folder = Folder::open(request.directory, request.tool);
  if (!folder) return failed(folder);
  Detected chosen;
  if (request.format.empty()) {
    auto detected = detect(*folder);
    if (!detected) return failed(detected);
    chosen = std::move(*detected);
  } else {
    const auto known = named(request.format);
    if (!known) return failed(known);
    Fit fit = (*known)->fits(*folder);
    if (fit.how == Fit::How::no) return nothing_fits(*folder);
    fit.because = "asked for";
    chosen = {*known, std::move(fit)};
  }
  const auto dialect = dialect_of(*folder, chosen, request.dialect);
  if (!dialect) return failed(dialect);
  folder->set_dialect(*dialect);
  Result<History> history = chosen.format->load(*folder);
  if (!history) return history;
  auto differences = differences_from_atlas_sum(*folder);
  if (!differences) return failed(differences);
  history->facts.insert(history->facts.end(), differences->begin(), differences->end());
  if (history->migrations.empty()) return nothing_fits(*folder);
  history->format = chosen.format->name;
  history->detected_by = std::move(chosen.fit.because);
  history->dialect = folder->dialect();
  if (history->dialect == sql::Dialect::sqlite) leave_schemas_out(*history);
  if (history->preparation) equip(*history->preparation, request.tool);
  for (Migration& migration : history->migrations) {
    migration.bookkeeping = history->bookkeeping;
    migration.transaction = request.transaction;
    migration.dialect = folder->dialect();
    equip(migration, request.tool);
  }
  if (request.transaction == Transaction::all) history->all_in_one = true;
  const bool apart = request.transaction != Transaction::of_tool && request.transaction != Transaction::all;
  if (apart) history->all_in_one = false;
  return history;
}

}  // namespace lockkeeper::history
