#pragma once

#include <chrono>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "engine/engine.h"
#include "history/history.h"
#include "rehearsal/notes.h"
#include "rehearsal/rehearse.h"
#include "scenario/scenario.h"

namespace lockkeeper::rehearsal {

/// Runs one side of a migration as the history's format would. Failures: the file cannot be read, a signal,
/// the instance is lost.
Result<engine::SideOutcome> run_side(engine::Instance& instance, const history::Migration& migration,
                                     record::Side side, std::chrono::milliseconds statement_timeout,
                                     engine::Observe observe,
                                     const std::optional<engine::Stop>& stop = std::nullopt);

/// What an instance is asked for so that a program runs; `file` is where the migration stands.
engine::ToolRequest request_of(history::ToolCommand tool, record::Side side, const std::string& file,
                               engine::Observe observe);

/// Where rehearsals stand: clean instances at any point of the history, each from the nearest image before
/// it.
class Ground {
 public:
  Ground(engine::Engine& engine, const scenario::Scenario& scenario, const history::History& history,
         const history::Trial& trial, const Options& options);

  /// Finds or builds the base: fixture, init and the migrations before the trial.
  Result<void> prepare();

  /// A new instance with exactly the migrations [0, index) applied, forward only.
  Result<std::unique_ptr<engine::Instance>> at(std::size_t index);
  /// Another instance of the base. Of all that is here only this may be called from another thread.
  Result<std::unique_ptr<engine::Instance>> base() const;
  /// One of an image that was made of such an instance.
  Result<std::unique_ptr<engine::Instance>> from(const engine::Image& image) const;
  /// Is there a processor, and room, for a second instance beside the one that works?
  bool has_room_beside() const;

  /// The state of the base, as it was when its image was made.
  const engine::State& base_state() const { return m_base.state; }
  /// Constraints that the base's rows break already.
  const std::vector<record::SchemaFact>& base_violations() const { return m_base.violations; }
  bool from_snapshot() const { return m_from_snapshot; }
  /// Makes rows in the tables of the state that hold none; what was touched by that.
  Result<engine::Touched> seed(engine::Instance& instance, const engine::State& state);
  /// Are rows made where there is no fixture?
  bool seeds() const { return m_seeds; }
  /// From here on there are no rows of our making, in new instances. Nobody else may be at work on the
  /// ground.
  Result<void> stop_seeding();
  /// From here on rows are made at the base, and in no table that the trial brings.
  void seed_the_base_alone() { m_seeds_trial = false; }
  /// Tables that stayed empty, with the reason.
  const std::map<std::string, std::string>& refusals() const { return m_refusals; }
  /// Waits for what is still being put into the store. What went wrong there harms no verdict: it is told.
  std::optional<Failure> settle();

 private:
  Result<std::unique_ptr<engine::Instance>> restore(const engine::Image& image,
                                                    engine::Purpose purpose) const;
  struct Key {
    std::string hash;
    std::size_t applied = 0;  ///< migrations in it
  };

  Result<std::vector<Key>> keys() const;
  Result<engine::Image> empty_image();
  Result<void> bring_in_others(engine::Instance& instance);
  Result<void> build(const std::vector<Key>& keys);
  bool has_little_to_load() const;
  /// Whether the memory disk was too small for it goes into `ran_out`.
  Result<void> build_on(const engine::Image& start, std::optional<std::size_t> applied, const Key& key,
                        engine::Purpose purpose, bool& ran_out);
  Result<void> load_fixtures(engine::Instance& instance);
  /// Rows are made after each of them where the rehearsal made some at that point too.
  enum class Rows { none, after_each };
  Result<void> apply(engine::Instance& instance, std::size_t from, std::size_t to, Rows rows);
  Result<void> seed(engine::Instance& instance);
  Result<void> keep_image(engine::Instance& instance, const Key& key);
  bool has_store() const;
  /// Puts an image into the store: at once where that is a rename, else while the rehearsal begins.
  Result<engine::Image> store(const engine::Image& image, const std::string& key,
                              const std::string& description, const std::string& notes);
  std::filesystem::path fresh_directory(const std::string& name);
  std::string describe() const;
  void say(const std::string& what) const;

  engine::Engine& m_engine;
  const scenario::Scenario& m_scenario;
  const history::History& m_history;
  const history::Trial& m_trial;
  const Options& m_options;
  std::map<std::size_t, engine::Image> m_images;  ///< by the number of migrations applied
  engine::Image m_base_image;                     ///< the one of them that the trial begins from
  Notes m_base;
  bool m_from_snapshot = false;
  bool m_seeds;
  bool m_seeds_trial = true;
  int m_directories = 0;
  std::future<Result<void>> m_storing;
  std::map<std::string, std::string> m_refusals;
};

}  // namespace lockkeeper::rehearsal
