#include "engine/postgres/row_maker.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::engine::postgres {

namespace {

constexpr int k_attempts = 8;
/// Of tables that a row refers to, and those that they refer to.
constexpr int k_deepest = 4;

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> names_in(const std::optional<std::string>& list) {
  // No name of ours holds the character that is put between them.
  return list && !list->empty() ? split(*list, '\x01') : std::vector<std::string>();
}

std::string text_or_empty(const std::optional<std::string>& text) {
  return text.value_or("");
}

/// A name as the catalog has it.
std::string unquoted(const std::string& name) {
  if (!name.starts_with('"')) return name;
  std::string result;
  for (std::size_t at = 1; at + 1 < name.size(); ++at) {
    if (name[at] == '"') ++at;
    result += name[at];
  }
  return result;
}

/// The literals of a check's text, as texts: 'open'::text → open, (a > 5) → 5 and 6.
std::vector<std::string> literals_in(const std::string& text) {
  std::vector<std::string> found;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\'') {
      std::string literal;
      for (++at; at < text.size(); ++at) {
        if (text[at] == '\'' && at + 1 < text.size() && text[at + 1] == '\'')
          ++at;
        else if (text[at] == '\'')
          break;
        literal += text[at];
      }
      found.push_back(literal);
    } else if (std::isdigit(static_cast<unsigned char>(text[at])) != 0 &&
               (at == 0 ||
                (std::isalnum(static_cast<unsigned char>(text[at - 1])) == 0 && text[at - 1] != '_'))) {
      std::size_t end = at;
      while (end < text.size() &&
             (std::isdigit(static_cast<unsigned char>(text[end])) != 0 || text[end] == '.'))
        ++end;
      const std::string number = text.substr(at, end - at);
      found.push_back(number);
      if (number.size() < 10) {
        const long long whole = std::atoll(number.c_str());
        found.push_back(std::to_string(whole + 1));
        found.push_back(std::to_string(whole - 1));
      }
      at = end;
    }
  }
  return found;
}

}  // namespace

const RowMaker::Column* RowMaker::named(const Table& table, const std::string& column) {
  const auto found = std::find_if(table.columns.begin(), table.columns.end(),
                                  [&](const Column& known) { return known.name == column; });
  return found == table.columns.end() ? nullptr : &*found;
}

const RowMaker::ForeignKey* RowMaker::key_of(const Table& table, const std::string& column) {
  const auto found = std::find_if(table.foreign.begin(), table.foreign.end(),
                                  [&](const ForeignKey& key) { return has(key.columns, column); });
  return found == table.foreign.end() ? nullptr : &*found;
}

Result<void> RowMaker::read_columns(const std::string& table, Table& result) {
  const auto rows = m_session.rows(fmt::format(
      "SELECT quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), b.typname, b.typcategory, "
      "a.attnotnull OR t.typnotnull, a.attidentity = 'a' OR a.attgenerated <> '', d.adbin IS NOT NULL OR "
      "a.attidentity <> '', CASE WHEN b.typname IN ('varchar', 'bpchar') THEN greatest(coalesce(nullif("
      "a.atttypmod, -1), t.typtypmod) - 4, 0) ELSE 0 END, (SELECT e.enumlabel FROM pg_enum e WHERE "
      "e.enumtypid "
      "= b.oid ORDER BY e.enumsortorder LIMIT 1), (SELECT string_agg(pg_get_constraintdef(k.oid), ' ') FROM "
      "pg_constraint k WHERE (k.conrelid = a.attrelid AND k.contype = 'c' AND a.attnum = ANY (k.conkey)) OR "
      "(k.contypid = a.atttypid AND k.contypid <> 0)), pg_get_expr(d.adbin, d.adrelid) ~ "
      "'[(]|CURRENT_|LOCALTIME' AND "
      "pg_get_expr(d.adbin, d.adrelid) !~ '^nextval[(]', t.typtype = 'd', (SELECT string_agg(pg_get_expr("
      "c.relpartbound, c.oid), ' ') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN "
      "pg_partitioned_table p ON p.partrelid = i.inhparent JOIN pg_attribute k ON k.attrelid = p.partrelid "
      "AND "
      "k.attname = a.attname AND k.attnum = ANY (p.partattrs) WHERE a.attrelid IN (i.inhrelid, i.inhparent)) "
      "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
      "LEFT JOIN pg_type u ON t.typtype = 'd' AND u.oid = t.typbasetype "
      "JOIN pg_type b ON b.oid = CASE WHEN u.typtype = 'd' THEN u.typbasetype ELSE coalesce(u.oid, t.oid) "
      "END "
      "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
      "WHERE a.attrelid = {}::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
      m_session.quoted_text(table)));
  if (!rows) return failed(rows);
  for (const auto& row : *rows) {
    Column column;
    column.name = text_or_empty(row[0]);
    column.type = text_or_empty(row[1]);
    column.base = text_or_empty(row[2]);
    column.category = row[3] && !row[3]->empty() ? row[3]->front() : 'X';
    column.required = row[4] == "t";
    column.always = row[5] == "t";
    column.has_default = row[6] == "t";
    column.limit = std::atoi(text_or_empty(row[7]).c_str());
    column.label = text_or_empty(row[8]);
    column.candidates = literals_in(text_or_empty(row[9]));
    column.wavers = row[10] == "t";
    column.is_domain = row[11] == "t";
    if (row[12]) column.candidates = literals_in(*row[12]);
    result.columns.push_back(std::move(column));
  }
  return {};
}

Result<void> RowMaker::read_keys(const std::string& table, Table& result) {
  // Of an expression's columns pg_depend tells; a constraint's index has its plain ones in indkey.
  const auto unique = m_session.rows(fmt::format(
      "SELECT (SELECT string_agg(quote_ident(a.attname), E'\\x01' ORDER BY a.attnum) FROM pg_attribute a "
      "WHERE "
      "a.attrelid = i.indrelid AND (a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]) OR a.attnum IN (SELECT "
      "d.refobjsubid FROM pg_depend d WHERE i.indexprs IS NOT NULL AND d.classid = 'pg_class'::regclass AND "
      "d.objid = i.indexrelid AND d.refobjid = i.indrelid))), i.indisprimary OR (i.indexprs IS NULL AND "
      "i.indpred IS NULL) FROM pg_index i WHERE i.indrelid = {}::regclass AND (i.indisunique OR "
      "i.indisexclusion) ORDER BY NOT i.indisprimary, i.indexrelid",
      m_session.quoted_text(table)));
  if (!unique) return failed(unique);
  for (const auto& row : *unique) {
    if (result.unique.empty()) result.first_is_key = row[1] == "t";
    result.unique.push_back(names_in(row[0]));
  }
  const auto foreign = m_session.rows(fmt::format(
      "SELECT (SELECT string_agg(quote_ident(a.attname), E'\\x01' ORDER BY k.n) FROM unnest(c.conkey) WITH "
      "ORDINALITY k(attnum, n) JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum), "
      "quote_ident(n.nspname) || '.' || quote_ident(r.relname), (SELECT string_agg(quote_ident(a.attname), "
      "E'\\x01' ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY k(attnum, n) JOIN pg_attribute a ON "
      "a.attrelid = c.confrelid AND a.attnum = k.attnum) FROM pg_constraint c JOIN pg_class r ON r.oid = "
      "c.confrelid JOIN pg_namespace n ON n.oid = r.relnamespace WHERE c.conrelid = {}::regclass AND "
      "c.contype "
      "= 'f' AND c.conparentid = 0 ORDER BY c.oid",
      m_session.quoted_text(table)));
  if (!foreign) return failed(foreign);
  for (const auto& row : *foreign)
    result.foreign.push_back({names_in(row[0]), text_or_empty(row[1]), names_in(row[2])});
  const auto any = m_session.rows(fmt::format("SELECT 1 FROM {} LIMIT 1", table));
  if (!any) return failed(any);
  result.has_rows = !any->empty();
  return {};
}

/// Puts first, of a column's candidates, those that its own checks let pass.
Result<void> RowMaker::sift(const std::string& table, Table& result) {
  const auto checks =
      m_session.rows(fmt::format("SELECT quote_ident(a.attname), pg_get_expr(k.conbin, k.conrelid) FROM "
                                 "pg_constraint k JOIN pg_attribute "
                                 "a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] WHERE k.conrelid = "
                                 "{}::regclass AND k.contype = "
                                 "'c' AND cardinality(k.conkey) = 1",
                                 m_session.quoted_text(table)));
  if (!checks) return failed(checks);
  std::map<std::string, std::vector<std::string>> by_column;
  for (const auto& row : *checks) by_column[text_or_empty(row[0])].push_back(text_or_empty(row[1]));
  for (Column& column : result.columns) {
    const auto own = by_column.find(column.name);
    // What a check over several columns names may be for another of them.
    if (own == by_column.end() && !column.is_domain && column.candidates.empty()) continue;
    const std::string condition = own == by_column.end() ? "true" : join(own->second, ") AND (");
    if (column.category == 'S') {
      // length(code) = 5
      for (const std::string& number : std::vector<std::string>(column.candidates)) {
        const int length = number.size() < 4 ? std::atoi(number.c_str()) : 0;
        if (length > 0) column.candidates.emplace_back(static_cast<std::size_t>(length), 'a');
        if (length > 0) column.candidates.emplace_back(static_cast<std::size_t>(length), '1');
      }
    } else if (column.category == 'N') {
      column.candidates.emplace_back("0.5");
    } else if (column.category == 'A') {
      for (const char* array : {"{}", "{1}", "{a}", "{1,1}", "{a,a}"}) column.candidates.emplace_back(array);
    }
    Column unknown = column;
    unknown.candidates.clear();
    for (int attempt = 0; attempt < k_attempts; ++attempt) {
      const auto plain = m_session.ask("SELECT (" + invented(unknown, attempt) + ")::text");
      if (!plain) return failed(plain);
      if (plain->rows.empty()) {
        if (const auto undone = m_session.rows("ROLLBACK TO SAVEPOINT lockkeeper_row"); !undone)
          return failed(undone);
        continue;
      }
      if (plain->rows[0][0] && !has(column.candidates, *plain->rows[0][0]))
        column.candidates.push_back(*plain->rows[0][0]);
    }
    std::vector<std::string> passing;
    for (const std::string& candidate : column.candidates) {
      const auto passes =
          m_session.ask(fmt::format("SELECT 1 FROM (SELECT ({}::{}) AS {}) v WHERE ({})",
                                    m_session.quoted_text(candidate), column.type, column.name, condition));
      if (!passes) return failed(passes);
      if (!passes->sqlstate.empty()) {
        if (const auto undone = m_session.rows("ROLLBACK TO SAVEPOINT lockkeeper_row"); !undone)
          return failed(undone);
      } else if (!passes->rows.empty()) {
        passing.push_back(candidate);
      }
    }
    column.candidates = std::move(passing);
  }
  return {};
}

Result<const RowMaker::Table*> RowMaker::look_at(const std::string& table) {
  const auto known = m_tables.find(table);
  if (known != m_tables.end()) return &known->second;
  Table result;
  if (const auto begun = m_session.rows("SAVEPOINT lockkeeper_row"); !begun) return failed(begun);
  if (const auto read = read_columns(table, result); !read) return failed(read);
  if (const auto read = read_keys(table, result); !read) return failed(read);
  if (const auto sifted = sift(table, result); !sifted) return failed(sifted);
  if (const auto ended = m_session.rows("RELEASE SAVEPOINT lockkeeper_row"); !ended) return failed(ended);
  return &m_tables.emplace(table, std::move(result)).first->second;
}

/// A value of the column's type, of which nothing else is known.
std::string RowMaker::invented(const Column& column, int attempt) const {
  const auto pick = [&](std::initializer_list<const char*> texts) {
    return std::string(*(texts.begin() + attempt % static_cast<int>(texts.size())));
  };
  const auto cast = [&](const std::string& text) { return m_session.quoted_text(text) + "::" + column.type; };
  if (!column.candidates.empty())
    return cast(column.candidates[static_cast<std::size_t>(attempt) % column.candidates.size()]);
  if (!column.label.empty()) return cast(column.label);
  switch (column.category) {
    case 'N':
      return cast(pick({"1", "0", "100", "10", "2024"}));
    case 'B':
      return cast(pick({"true", "false"}));
    case 'D':
      return cast(column.base.starts_with("time") && !column.base.starts_with("timestamp")
                      ? pick({"12:00", "08:30"})
                      : pick({"2024-01-15 12:00", "2030-12-31 08:30", "1990-05-01 00:00"}));
    case 'T':
      return cast("1 day");
    case 'A':
      return cast("{}");
    case 'I':
      return cast("192.0.2.1");
    case 'R':
      return cast(column.base.find("multi") == std::string::npos ? "empty" : "{}");
    case 'V':
      return fmt::format("repeat('0', greatest({}, 1))::{}", column.limit, column.type);
    case 'G':
      return column.base == "point"     ? cast("(1,1)")
             : column.base == "circle"  ? cast("<(1,1),1>")
             : column.base == "polygon" ? cast("((0,0),(0,1),(1,1))")
             : column.base == "path"    ? cast("((0,0),(0,1),(1,1))")
             : column.base == "line"    ? cast("{1,-1,0}")
                                        : cast("(1,1),(0,0)");
    case 'S': {
      const std::string text = pick({"lockkeeper", "a", "lockkeeper@example.com", "1", "A1", "en",
                                     "https://example.com/", "+49301234567"});
      return cast(column.limit > 0 ? text.substr(0, static_cast<std::size_t>(column.limit)) : text);
    }
    default:
      break;
  }
  if (column.base == "uuid") return "md5('lockkeeper')::uuid";
  if (column.base == "char") return cast("a");
  if (column.base == "pg_lsn") return cast("0/1");
  if (column.base == "jsonpath") return cast("$");
  if (column.base == "macaddr8") return cast("08:00:2b:01:02:03:04:05");
  if (column.base == "bytea") return "'\\x6c'::bytea";
  if (column.base == "json" || column.base == "jsonb") return cast(pick({"{}", "[]", "\"x\"", "1"}));
  if (column.base == "xml") return cast("<a/>");
  if (column.base == "tsvector" || column.base == "tsquery") return cast("a");
  if (column.base == "macaddr") return cast("08:00:2b:01:02:03");
  if (column.base == "citext" || column.base == "ltree" || column.base == "hstore")
    return cast(column.base == "hstore" ? "a=>1" : pick({"lockkeeper", "a"}));
  return "NULL::" + column.type;
}

/// A value that no row of the table has yet; empty where nobody knows how to make one.
std::string RowMaker::fresh(const std::string& name, const Column& column, bool modelled, int attempt) const {
  if (column.category == 'N' && column.base != "money") {
    // Far from those that a down may bring together with them, where the type is wide enough.
    const bool far = column.base != "int2" && attempt < k_attempts / 2;
    return fmt::format("(SELECT greatest(max({0}), {1}) + {2} FROM {3})::{4}", column.name,
                       far ? 1'000'000'000 + m_made : 0, attempt + 1, name, column.type);
  }
  if (column.category == 'D' && (column.base == "date" || column.base.starts_with("timestamp")))
    return fmt::format("(SELECT coalesce(max({0}), '2024-01-15') + interval '{1} days' FROM {2})::{3}",
                       column.name, attempt + 1, name, column.type);
  const std::string hash = fmt::format("md5('lockkeeper {} {}')", m_made, attempt);
  if (column.base == "uuid") return hash + "::uuid";
  if (column.base == "bytea") return hash + "::bytea";
  if (column.category != 'S' && column.base != "citext") return "";
  std::string text = modelled && attempt % 3 == 0 ? fmt::format("left({}, 6) || {{m}}.{}", hash, column.name)
                     : modelled && attempt % 3 == 1
                         ? fmt::format("{{m}}.{} || left({}, 6)", column.name, hash)
                         : fmt::format("left({}, 12)", hash);
  if (column.limit > 0) text = fmt::format("left({}, {})", text, column.limit);
  return fmt::format("({})::{}", text, column.type);
}

/// For each unique key one column that the wish leaves free gets a value of its own.
void RowMaker::keep_unique(const std::string& name, const Table& table, const RowWish& wish, int attempt,
                           std::map<std::string, std::string>& values) const {
  std::vector<std::vector<std::string>> keys = table.unique;
  // Without any key two rows would be one and the same.
  if (keys.empty()) {
    keys.resize(1);
    for (const Column& column : table.columns) keys[0].push_back(column.name);
  }
  const auto former = m_former_keys.find(name);
  if (former != m_former_keys.end()) keys.insert(keys.end(), former->second.begin(), former->second.end());
  for (const auto& key : keys) {
    const bool repeats = !key.empty() && std::all_of(key.begin(), key.end(), [&](const std::string& column) {
      return has(wish.repeated, column);
    });
    if (repeats) continue;
    const auto free = [&](const std::string& column) {
      return !wish.values.contains(column) && !has(wish.repeated, column);
    };
    // Its own default is what the application would take too.
    const auto by_default = std::find_if(key.begin(), key.end(), [&](const std::string& column) {
      const Column* known = named(table, column);
      const bool defaults = known != nullptr && known->has_default && known->category != 'B' &&
                            !(wish.repeatable && known->wavers);
      return known != nullptr && (known->always || defaults) && free(column) && key.size() == 1;
    });
    if (by_default != key.end()) {
      values.erase(*by_default);
      continue;
    }
    for (const bool referring : {false, true}) {
      const auto chosen = std::find_if(key.begin(), key.end(), [&](const std::string& column) {
        const Column* known = named(table, column);
        if (known == nullptr || known->always || !free(column)) return false;
        if (referring) return key_of(table, column) != nullptr;
        return key_of(table, column) == nullptr && !fresh(name, *known, table.has_rows, attempt).empty();
      });
      if (chosen == key.end()) continue;
      if (!referring) {
        values[*chosen] = fresh(name, *named(table, *chosen), table.has_rows, attempt);
        break;
      }
      // A row of the other table that no row of this one refers to yet.
      const ForeignKey& to = *key_of(table, *chosen);
      const auto at = static_cast<std::size_t>(std::find(to.columns.begin(), to.columns.end(), *chosen) -
                                               to.columns.begin());
      values[*chosen] = fmt::format(
          "(SELECT r.{0} FROM {1} r WHERE NOT EXISTS (SELECT FROM {2} x WHERE x.{3} = r.{0}) LIMIT 1 OFFSET "
          "{4})",
          to.referenced[at], to.table, name, *chosen, attempt);
      break;
    }
  }
}

/// The first row of a table that must refer to a row of itself: to itself, which a foreign key lets pass
/// since it is looked at when the row is there.
void RowMaker::refer_to_itself(const std::string& name, const Table& table, int attempt,
                               std::map<std::string, std::string>& values) const {
  if (table.has_rows) return;
  for (const ForeignKey& key : table.foreign) {
    const bool required = std::any_of(key.columns.begin(), key.columns.end(), [&](const std::string& column) {
      const Column* known = named(table, column);
      return known != nullptr && known->required;
    });
    if (key.table != name || !required) continue;
    for (std::size_t at = 0; at < key.columns.size(); ++at) {
      const std::string& referenced = key.referenced[at];
      const Column* known = named(table, referenced);
      if (known == nullptr) continue;
      if (!values.contains(referenced)) {
        const auto next = m_session.ask(fmt::format("SELECT nextval(pg_get_serial_sequence({}, {}))",
                                                    m_session.quoted_text(name),
                                                    m_session.quoted_text(unquoted(referenced))));
        const bool numbered = next && !next->rows.empty() && next->rows[0][0];
        values[referenced] = numbered ? *next->rows[0][0] : invented(*known, attempt % (k_attempts / 2));
      }
      values[key.columns[at]] = values[referenced];
    }
  }
}

std::map<std::string, std::string> RowMaker::expressions(const std::string& name, const Table& table,
                                                         const RowWish& wish, int attempt) const {
  std::map<std::string, std::string> values;
  // At first as full as is wanted, then only what must be.
  const bool full = wish.full && attempt < k_attempts / 2;
  for (const Column& column : table.columns) {
    if (column.always) continue;
    const bool wanted = has(wish.filled, column.name);
    const bool modelled = table.has_rows && !wanted;
    if (modelled) {
      values[column.name] = "{m}." + column.name;
      continue;
    }
    if (column.has_default && !wanted && !(wish.repeatable && column.wavers)) continue;
    const ForeignKey* key = key_of(table, column.name);
    const bool instead = column.has_default && column.wavers;
    if (key != nullptr && (column.required || wanted || full)) {
      const auto at = static_cast<std::size_t>(
          std::find(key->columns.begin(), key->columns.end(), column.name) - key->columns.begin());
      values[column.name] = fmt::format("(SELECT r.{} FROM {} r LIMIT 1)", key->referenced[at], key->table);
    } else if (column.required || wanted || full || instead) {
      values[column.name] = invented(column, attempt % (k_attempts / 2));
    }
  }
  keep_unique(name, table, wish, attempt, values);
  refer_to_itself(name, table, attempt, values);
  for (const auto& [column, expression] : wish.values) values[column] = expression;
  return values;
}

std::string RowMaker::insert(const std::string& name, const Table& table,
                             const std::map<std::string, std::string>& values, int attempt) const {
  std::vector<std::string> columns;
  std::vector<std::string> expressions;
  bool modelled = false;
  for (const auto& [column, expression] : values) {
    columns.push_back(column);
    std::string text = expression;
    for (auto at = text.find("{m}"); at != std::string::npos; at = text.find("{m}")) {
      text.replace(at, 3, "m");
      modelled = true;
    }
    expressions.push_back(std::move(text));
  }
  if (columns.empty()) return fmt::format("INSERT INTO {} DEFAULT VALUES", name);
  std::string model;
  if (modelled && table.has_rows) {
    model = fmt::format(" FROM (SELECT * FROM {} LIMIT 1{}) m", name,
                        attempt > 0 ? fmt::format(" OFFSET {}", attempt) : std::string());
  }
  const bool overriding = std::any_of(columns.begin(), columns.end(), [&](const std::string& column) {
    const Column* known = named(table, column);
    return known != nullptr && known->always;
  });
  return fmt::format("INSERT INTO {} ({}){} SELECT {}{}", name, join(columns, ", "),
                     overriding ? " OVERRIDING SYSTEM VALUE" : "", join(expressions, ", "), model);
}

/// Rows that the new one must refer to, where there are none yet.
Result<bool> RowMaker::fill_referenced(const Table& table, const RowWish& wish, int depth) {
  for (const ForeignKey& key : table.foreign) {
    if (key.table == wish.table) continue;
    const bool needed = std::any_of(key.columns.begin(), key.columns.end(), [&](const std::string& column) {
      const Column* known = named(table, column);
      return known != nullptr && (known->required || has(wish.filled, column) || wish.full);
    });
    if (!needed || (table.has_rows && wish.filled.empty())) continue;
    const auto other = look_at(key.table);
    if (!other) return failed(other);
    if ((*other)->has_rows) continue;
    if (depth >= k_deepest) return false;
    const auto made = make(RowWish{key.table, {}, {}, {}, false, wish.repeatable}, depth + 1);
    if (!made) return failed(made);
    if (!made->refusal.empty()) return false;
  }
  return true;
}

/// How people name the row, and what finds it again.
std::string RowMaker::returning(const Table& table) const {
  std::string label = "''";
  std::string condition = "''";
  if (table.first_is_key && !table.unique.empty() && !table.unique.front().empty()) {
    std::vector<std::string> labels;
    std::vector<std::string> conditions;
    for (const std::string& column : table.unique.front()) {
      labels.push_back(fmt::format("{} || '=' || {}::text", m_session.quoted_text(column), column));
      conditions.push_back(
          fmt::format("{} || ' = ' || quote_literal({}::text)", m_session.quoted_text(column), column));
    }
    label = fmt::format("concat_ws(', ', {})", join(labels, ", "));
    condition = fmt::format("concat_ws(' AND ', {})", join(conditions, ", "));
  }
  return label + ", " + condition;
}

Result<RowMade> RowMaker::make(const RowWish& wish, int depth) {
  const auto looked = look_at(wish.table);
  if (!looked) return failed(looked);
  const Table& table = **looked;
  const auto filled = fill_referenced(table, wish, depth);
  if (!filled) return failed(filled);
  RowMade made;
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    if (const auto begun = m_session.rows("SAVEPOINT lockkeeper_row"); !begun) return failed(begun);
    made.sql = insert(wish.table, table, expressions(wish.table, table, wish, attempt), attempt);
    const auto answered = m_session.ask(fmt::format("{} RETURNING {}", made.sql, returning(table)));
    if (!answered) return failed(answered);
    if (answered->sqlstate.empty() && !answered->rows.empty()) {
      if (const auto ended = m_session.rows("RELEASE SAVEPOINT lockkeeper_row"); !ended) return failed(ended);
      made.key = text_or_empty(answered->rows[0][0]);
      made.condition = text_or_empty(answered->rows[0][1]);
      made.refusal.clear();
      m_tables[wish.table].has_rows = true;
      ++m_made;
      return made;
    }
    // What is told is what the first attempt met, which was the fullest; no row at all: there is none to
    // model it on at that place, or a trigger keeps it out.
    if (made.refusal.empty()) {
      made.refusal = answered->sqlstate.empty()
                         ? "a trigger or a rule keeps the row out"
                         : fmt::format("{} (SQLSTATE {})", answered->message, answered->sqlstate);
    }
    if (const auto undone =
            m_session.rows("ROLLBACK TO SAVEPOINT lockkeeper_row; RELEASE SAVEPOINT lockkeeper_row");
        !undone)
      return failed(undone);
  }
  if (!*filled) made.refusal += "; a table that it refers to cannot be filled";
  return made;
}

Result<RowMade> RowMaker::change(const RowWish& wish) {
  const auto looked = look_at(wish.table);
  if (!looked) return failed(looked);
  std::vector<std::string> changes;
  for (const auto& [column, expression] : wish.values)
    changes.push_back(fmt::format("{} = {}", column, expression));
  for (const std::string& column : wish.filled) {
    const auto value = value_for(wish.table, column);
    if (!value) return failed(value);
    changes.push_back(fmt::format("{} = {}", column, *value));
  }
  RowMade made;
  made.sql =
      fmt::format("UPDATE {0} SET {1} WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM {0} LIMIT 1)",
                  wish.table, join(changes, ", "));
  if (const auto begun = m_session.rows("SAVEPOINT lockkeeper_row"); !begun) return failed(begun);
  const auto answered = m_session.ask(fmt::format("{} RETURNING {}", made.sql, returning(**looked)));
  if (!answered) return failed(answered);
  if (answered->sqlstate.empty() && !answered->rows.empty()) {
    made.key = text_or_empty(answered->rows[0][0]);
    made.condition = text_or_empty(answered->rows[0][1]);
  } else {
    made.refusal = answered->sqlstate.empty()
                       ? "the table has no row"
                       : fmt::format("{} (SQLSTATE {})", answered->message, answered->sqlstate);
    if (const auto undone = m_session.rows("ROLLBACK TO SAVEPOINT lockkeeper_row"); !undone)
      return failed(undone);
  }
  if (const auto ended = m_session.rows("RELEASE SAVEPOINT lockkeeper_row"); !ended) return failed(ended);
  return made;
}

Result<std::vector<std::string>> RowMaker::candidates(const std::string& table, const std::string& column) {
  const auto looked = look_at(table);
  if (!looked) return failed(looked);
  const Column* known = named(**looked, column);
  return known == nullptr ? std::vector<std::string>() : known->candidates;
}

Result<std::string> RowMaker::value_for(const std::string& table, const std::string& column) {
  const auto looked = look_at(table);
  if (!looked) return failed(looked);
  const Column* known = named(**looked, column);
  if (known == nullptr) return std::string("NULL");
  if (const ForeignKey* key = key_of(**looked, column)) {
    const auto at = static_cast<std::size_t>(std::find(key->columns.begin(), key->columns.end(), column) -
                                             key->columns.begin());
    return fmt::format("(SELECT {} FROM {} ORDER BY 1 LIMIT 1)", key->referenced[at], key->table);
  }
  if ((*looked)->has_rows && known->candidates.empty())
    return fmt::format("coalesce((SELECT {0} FROM {1} WHERE {0} IS NOT NULL ORDER BY 1 LIMIT 1), {2})",
                       column, table, invented(*known, 0));
  return invented(*known, 0);
}

}  // namespace lockkeeper::engine::postgres
