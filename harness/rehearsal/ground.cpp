#include "rehearsal/ground.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"

namespace lockkeeper::rehearsal {

namespace {

using engine::Instance;
using engine::Purpose;
namespace fs = std::filesystem;

// Changes with what the notes hold and how: what stands under a key is never written anew.
constexpr std::string_view k_key_format = "lockkeeper snapshot 3";
// Replaying fewer migrations than this costs less than another image.
constexpr std::size_t k_replay_limit = 25;
// Of files, which may be packed; what comes of it is watched (Instance::ran_out_of_memory).
constexpr std::uint64_t k_little_fixture = 32ULL << 20;

/// A dump may be a directory: every file in it counts, by its name and content.
Result<std::string> hash_fixture(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return hash_of_file(path);
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Hasher hasher;
  for (const auto& file : files) {
    const auto content = hash_of_file(file);
    if (!content) return failed(content);
    hasher.add_field(fs::relative(file, path).string()).add_field(*content);
  }
  return hasher.hex();
}

tl::unexpected<Failure> base_fails(const history::Migration& migration, const record::SideRun& run) {
  return failed(
      FailureKind::usage,
      fmt::format("cannot apply migration '{}' before the trial: {}{}", migration.version,
                  run.error->sqlstate.empty() ? "" : run.error->sqlstate + ": ", run.error->message),
      "the fixture must fit the history up to there; or put this migration on trial too", run.error_location);
}

}  // namespace

engine::ToolRequest request_of(history::ToolCommand tool, record::Side side, const std::string& file,
                               engine::Observe observe) {
  engine::ToolRequest request;
  request.side = side;
  request.name = std::move(tool.name);
  request.command = std::move(tool.command);
  request.must_connect = tool.connects;
  request.deadline = tool.deadline;
  request.location = {file, 1, 1};
  request.observe = observe;
  return request;
}

namespace {

/// A side that a program outside runs: observed all the same.
Result<engine::SideOutcome> run_by_tool(Instance& instance, const history::Migration& migration,
                                        record::Side side, engine::Observe observe) {
  auto tool = migration.command(migration, side);
  if (!tool) return failed(tool);
  return instance.run_tool(request_of(std::move(*tool), side, migration.up_path, observe));
}

}  // namespace

Result<engine::SideOutcome> run_side(Instance& instance, const history::Migration& migration,
                                     record::Side side, std::chrono::milliseconds statement_timeout,
                                     engine::Observe observe, const std::optional<engine::Stop>& stop) {
  if (migration.command) return run_by_tool(instance, migration, side, observe);
  const auto script = migration.script(side);
  if (!script) return failed(script);
  engine::SideRequest request;
  request.side = side;
  request.script = &*script;
  request.bookkeeping = migration.note_of(side);
  request.statement_timeout = statement_timeout;
  request.observe = observe;
  request.stop = stop;
  return instance.run_side(request);
}

Ground::Ground(engine::Engine& engine, const scenario::Scenario& scenario, const history::History& history,
               const history::Trial& trial, const Options& options)
    : m_engine(engine),
      m_scenario(scenario),
      m_history(history),
      m_trial(trial),
      m_options(options),
      m_seeds(options.seed_rows > 0 && scenario.fixtures.empty()) {}

Result<void> Ground::stop_seeding() {
  if (auto failure = settle()) say("the snapshot cannot be kept: " + failure->message);
  m_seeds = false;
  m_refusals.clear();
  m_images.clear();
  return prepare();
}

void Ground::say(const std::string& what) const {
  if (m_options.progress) m_options.progress(what);
}

fs::path Ground::fresh_directory(const std::string& name) {
  return m_options.work_directory / fmt::format("{}-{}", name, ++m_directories);
}

std::string Ground::describe() const {
  return fmt::format("{} {} · {} · {} · {} applied", m_engine.server().engine, m_engine.server().version,
                     m_scenario.name,
                     counted(static_cast<std::int64_t>(m_scenario.fixtures.size()), "fixture"),
                     counted(static_cast<std::int64_t>(m_trial.first), "migration"));
}

/// A snapshot's name for every length of the history: each hash holds the one before, and so everything below
/// it.
Result<std::vector<Ground::Key>> Ground::keys() const {
  Hasher hasher;
  hasher.add_field(k_key_format).add_field(m_engine.fingerprint()).add_field(m_scenario.database);
  hasher.add_field(std::to_string(m_scenario.scale));
  for (const auto& sql : m_scenario.init) hasher.add_field("init").add_field(sql);
  for (const auto& fixture : m_scenario.fixtures) {
    const auto content = hash_fixture(fixture.path);
    if (!content) return failed(content);
    hasher.add_field("fixture").add_field(fs::path(fixture.path).filename().string());
    hasher.add_field(fixture.table).add_field(*content);
  }
  if (m_history.bookkeeping) hasher.add_field("bookkeeping").add_field(m_history.bookkeeping->create);
  if (m_history.preparation) {
    const auto digest = m_history.preparation->digest();
    if (!digest) return failed(digest);
    hasher.add_field("preparation").add_field(*digest);
  }
  if (seeds()) hasher.add_field("seeded").add_field(std::to_string(m_options.seed_rows));
  if (m_trial.held > 0) hasher.add_field("held").add_field(m_history.migrations[m_trial.held - 1].version);
  std::vector<Key> keys{{hasher.hex(), m_trial.held}};
  for (std::size_t index = m_trial.held; index < m_trial.first; ++index) {
    const auto& migration = m_history.migrations[index];
    const auto content = migration.hash_of_up();
    if (!content) return failed(content);
    keys.push_back(
        {Hasher().add_field(keys.back().hash).add_field(migration.version).add_field(*content).hex(),
         index + 1});
  }
  return keys;
}

Result<engine::Image> Ground::empty_image() {
  const std::string key =
      Hasher().add_field(k_key_format).add_field(m_engine.fingerprint()).add_field(m_scenario.database).hex();
  if (has_store()) {
    if (const auto entry = m_options.store->find(key))
      return engine::Image{entry->directory, m_scenario.database};
  }
  say("making an empty server");
  const auto image = m_engine.make_empty(fresh_directory("empty"), m_scenario.database);
  if (!image) return failed(image);
  return store(*image, key, fmt::format("{} {} · empty", m_engine.server().engine, m_engine.server().version),
               "");
}

bool Ground::has_store() const {
  return m_options.store != nullptr && m_engine.images_are_directories();
}

Result<engine::Image> Ground::store(const engine::Image& image, const std::string& key,
                                    const std::string& description, const std::string& notes) {
  if (!has_store()) return image;
  const snapshot::Store& store = *m_options.store;
  if (image.in_memory) {
    // One after the other: a disk that is slow with small files is not faster with two at a time.
    m_storing = std::async(std::launch::async,
                           [&store, image, key, description, notes, before = std::move(m_storing)]() mutable {
                             if (before.valid()) {
                               if (auto done = before.get(); !done) return done;
                             }
                             const auto draft = store.draft();
                             if (!draft) return Result<void>(failed(draft));
                             std::error_code error;
                             std::filesystem::remove(*draft, error);
                             if (const auto copied = copy_tree(image.directory, *draft); !copied)
                               return copied;
                             const auto entry = store.publish(key, *draft, description, notes);
                             return entry ? Result<void>() : failed(entry);
                           });
    return image;
  }
  const auto draft = store.draft();
  if (!draft) return failed(draft);
  // rename(2) replaces an empty directory.
  if (::rename(image.directory.c_str(), draft->c_str()) != 0) return cannot("move the image to", *draft);
  const auto entry = store.publish(key, *draft, description, notes);
  if (!entry) return failed(entry);
  return engine::Image{entry->directory, image.database};
}

std::optional<Failure> Ground::settle() {
  if (!m_storing.valid()) return std::nullopt;
  auto stored = m_storing.get();
  return stored ? std::nullopt : std::optional(std::move(stored.error()));
}

Result<void> Ground::prepare() {
  const auto all = keys();
  if (!all) return failed(all);
  if (has_store()) {
    for (auto key = all->rbegin(); key != all->rend(); ++key) {
      const auto entry = m_options.store->find(key->hash);
      if (!entry) continue;
      auto notes = decode(entry->notes);
      if (!notes) continue;
      m_images[key->applied] = {entry->directory, m_scenario.database};
      if (key->applied != m_trial.first) break;
      m_base = std::move(*notes);
      m_from_snapshot = true;
      m_base_image = m_images[key->applied];
      return {};
    }
  }
  if (const auto built = build(*all); !built) return built;
  m_base_image = m_images.begin()->second;
  return {};
}

Result<void> Ground::load_fixtures(Instance& instance) {
  instance.set_scale(m_scenario.scale);
  for (const auto& sql : m_scenario.init) {
    const auto done = instance.execute(sql, Location{m_scenario.file, 0, 0});
    if (!done) return failed(done);
  }
  for (const auto& fixture : m_scenario.fixtures) {
    say(fmt::format("restoring {}", fixture.path));
    const auto done = instance.load_fixture(fixture.path, fixture.table);
    if (!done) return failed(done);
  }
  if (m_history.bookkeeping && !m_history.bookkeeping->create.empty()) {
    const auto done = instance.execute(m_history.bookkeeping->create, Location{m_history.directory, 0, 0});
    if (!done) return done;
  }
  return instance.analyze();
}

Result<void> Ground::apply(Instance& instance, std::size_t from, std::size_t to, Rows rows) {
  for (const std::size_t index : m_history.steps_between(from, to)) {
    const auto& migration = m_history.migrations[index];
    const auto outcome =
        run_side(instance, migration, record::Side::up, m_options.statement_timeout, engine::Observe::no);
    if (!outcome) return failed(outcome);
    if (outcome->run.error) return base_fails(migration, outcome->run);
    if (!seeds() || rows == Rows::none) continue;
    if (const auto seeded = seed(instance); !seeded) return seeded;
  }
  return {};
}

Result<void> Ground::seed(Instance& instance) {
  engine::Touched everything;
  everything.everything = true;
  const auto state = instance.read_state(nullptr, everything);
  if (!state) return failed(state);
  const auto seeded = seed(instance, *state);
  return seeded ? Result<void>() : failed(seeded);
}

Result<engine::Touched> Ground::seed(Instance& instance, const engine::State& state) {
  std::set<std::string> tables;
  for (const auto& object : state.objects) {
    if (object.kind == "table") tables.insert(object.identity);
  }
  std::vector<std::string> empty;
  for (const auto& table : state.tables) {
    if (table.rows == 0 && tables.contains(table.table) && !m_refusals.contains(table.table))
      empty.push_back(table.table);
  }
  if (empty.empty()) return engine::Touched{};
  auto filled = instance.fill(empty, m_options.seed_rows);
  if (!filled) return failed(filled);
  if (!*filled) return engine::Touched{};
  for (const auto& [table, reason] : (*filled)->refusals) m_refusals.emplace(table, reason);
  return (*filled)->touched;
}

/// What the history takes for granted of others.
Result<void> Ground::bring_in_others(Instance& instance) {
  if (!m_history.preparation) return {};
  auto tool = m_history.preparation->command();
  if (!tool) return failed(tool);
  say(tool->shown);
  const auto outcome = instance.run_tool(
      request_of(std::move(*tool), record::Side::up, m_history.directory, engine::Observe::no));
  if (!outcome) return failed(outcome);
  if (!outcome->run.error) return {};
  const record::SqlError& error = *outcome->run.error;
  return failed(FailureKind::usage,
                fmt::format("cannot bring in what the history takes for granted: {}{}{}", error.message,
                            error.detail.empty() ? "" : "\n", error.detail),
                "see whether the tool itself can do it on an empty database",
                Location{m_history.directory, 0, 0});
}

/// Builds what the store does not have: from the nearest image, or from an empty server and the fixture.
Result<void> Ground::build(const std::vector<Key>& keys) {
  const bool from_empty = m_images.empty();
  engine::Image start;
  if (from_empty) {
    const auto empty = empty_image();
    if (!empty) return failed(empty);
    start = *empty;
  } else {
    start = m_images.rbegin()->second;
  }
  const std::optional<std::size_t> applied =
      from_empty ? std::nullopt : std::optional(m_images.rbegin()->first);
  bool ran_out = false;
  if (has_little_to_load()) {
    auto built = build_on(start, applied, keys.back(), Purpose::load_little, ran_out);
    if (!ran_out) return built;
    say("the memory disk is too small: again on the disk");
  }
  return build_on(start, applied, keys.back(), Purpose::load, ran_out);
}

bool Ground::has_little_to_load() const {
  std::uint64_t bytes = 0;
  for (const auto& fixture : m_scenario.fixtures) {
    std::error_code error;
    if (!fs::is_directory(fixture.path, error)) {
      bytes += fs::file_size(fixture.path, error);
    } else if (const auto size = stored_tree_size(fixture.path)) {
      bytes += *size;
    }
  }
  return bytes <= k_little_fixture;
}

/// `applied`: how many migrations are in the image that it starts from; none where the fixture is not.
Result<void> Ground::build_on(const engine::Image& start, std::optional<std::size_t> applied, const Key& key,
                              Purpose purpose, bool& ran_out) {
  auto instance = restore(start, purpose);
  if (!instance) return failed(instance);
  const auto load = [&]() -> Result<void> {
    if (!applied) {
      if (const auto loaded = load_fixtures(**instance); !loaded) return loaded;
    }
    const std::size_t from = applied.value_or(m_trial.held);
    if (from < m_trial.first) {
      say(fmt::format("applying {} before the trial",
                      counted(static_cast<std::int64_t>(m_trial.first - from), "migration")));
      if (const auto done = apply(**instance, from, m_trial.first, Rows::none); !done) return done;
      if (const auto done = (*instance)->analyze(); !done) return done;
    }
    if (const auto done = bring_in_others(**instance); !done) return done;
    if (seeds()) {
      say("making rows");
      if (const auto seeded = seed(**instance); !seeded) return seeded;
      if (const auto done = (*instance)->analyze(); !done) return done;
    }
    return keep_image(**instance, key);
  };
  auto loaded = load();
  ran_out = (*instance)->ran_out_of_memory();
  return loaded;
}

/// Notes what the base holds, then makes an image of it: in the store where there is one.
Result<void> Ground::keep_image(Instance& instance, const Key& key) {
  engine::Touched everything;
  everything.everything = true;
  auto state = instance.read_state(nullptr, everything);
  if (!state) return failed(state);
  auto violations = instance.violated_constraints(everything);
  if (!violations) return failed(violations);
  m_base = {std::move(*state), std::move(*violations)};
  const auto image = instance.save(fresh_directory("base"));
  if (!image) return failed(image);
  const auto kept = store(*image, key.hash, describe(), encode(m_base));
  if (!kept) return failed(kept);
  m_images = {{key.applied, *kept}};
  return {};
}

Result<std::unique_ptr<Instance>> Ground::restore(const engine::Image& image, Purpose purpose) const {
  auto instance = m_engine.restore(image, m_scenario.database, purpose);
  if (instance && m_history.bookkeeping) (*instance)->set_apart(m_history.bookkeeping->tables);
  return instance;
}

Result<std::unique_ptr<Instance>> Ground::at(std::size_t index) {
  const auto nearest = std::prev(m_images.upper_bound(index));
  auto instance = restore(nearest->second, Purpose::rehearse);
  if (!instance) return instance;
  if (const auto done =
          apply(**instance, nearest->first, index, m_seeds_trial ? Rows::after_each : Rows::none);
      !done)
    return failed(done);
  if (index - nearest->first < k_replay_limit) return instance;
  const auto image = (*instance)->save(fresh_directory("clean"));
  if (!image) return failed(image);
  m_images[index] = *image;
  // Two images are enough: rehearsals move forward, or back (a release's downs), and the base is needed for
  // queries and the chain.
  while (m_images.size() > 2) {
    auto other = std::next(m_images.begin());
    if (other->first == index) ++other;
    if (const auto gone = m_engine.discard(other->second); !gone) return failed(gone);
    m_images.erase(other);
  }
  return restore(*image, Purpose::rehearse);
}

Result<std::unique_ptr<Instance>> Ground::base() const {
  return restore(m_base_image, Purpose::rehearse);
}

Result<std::unique_ptr<Instance>> Ground::from(const engine::Image& image) const {
  return restore(image, Purpose::rehearse);
}

bool Ground::has_room_beside() const {
  return m_engine.has_room_beside(m_base_image);
}

}  // namespace lockkeeper::rehearsal
