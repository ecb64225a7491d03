#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/tree.h"
#include "record/names.h"
#include "rehearsal/release.h"

/// Backups are made by the tools of a runbook, and proved by bringing them back.
namespace lockkeeper::rehearsal {

namespace {

namespace fs = std::filesystem;
using record::BackupForm;

/// A backup is a file, or a directory of files.
std::vector<fs::path> files_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  std::vector<fs::path> files;
  const auto entries = list_tree(path, Hashing::none);
  for (const TreeEntry& entry : entries.value_or(std::vector<TreeEntry>())) {
    if (entry.kind == TreeEntry::Kind::file) files.push_back(path / entry.path);
  }
  return files;
}

/// 0 where there is none.
std::uint64_t size_of(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  return error ? 0 : size;
}

std::uint64_t bytes_of(const fs::path& path) {
  std::uint64_t bytes = 0;
  for (const fs::path& file : files_of(path)) bytes += size_of(file);
  return bytes;
}

/// Of a directory the one that says most.
fs::path largest_file(const fs::path& path) {
  const auto files = files_of(path);
  const auto largest = std::max_element(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    return size_of(a) < size_of(b);
  });
  return largest == files.end() ? fs::path() : *largest;
}

Result<std::string> sha256_of(const fs::path& path) {
  Sha256 sum;
  std::vector<char> buffer(1U << 20);
  for (const fs::path& file : files_of(path)) {
    if (file != path) sum.add(fs::relative(file, path).string());
    std::ifstream in(file, std::ios::binary);
    if (!in) return cannot("read", file);
    while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0)
      sum.add(std::string_view(buffer.data(), static_cast<std::size_t>(in.gcount())));
  }
  return sum.hex();
}

std::string suffix_of(BackupForm form) {
  switch (form) {
    case BackupForm::custom:
      return ".dump";
    case BackupForm::plain:
      return ".sql";
    case BackupForm::copy:
    case BackupForm::online:
    case BackupForm::vacuum_into:
      return ".db";
    default:
      return "";
  }
}

/// The bit in the middle of the file.
Result<void> flip_bit(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  if (error || size == 0 || !file) return cannot("damage a copy of", path);
  const auto middle = static_cast<std::streamoff>(size / 2);
  file.seekg(middle);
  const char byte = static_cast<char>(file.get() ^ 0x10);
  file.seekp(middle);
  file.put(byte);
  return file.good() ? Result<void>() : cannot("damage a copy of", path);
}

Result<void> cut_in_half(const fs::path& path) {
  std::error_code error;
  fs::resize_file(path, fs::file_size(path, error) / 2, error);
  return error ? cannot("cut a copy of", path, error.value()) : Result<void>();
}

std::string first_word(const record::ToolRun& run) {
  return run.said.empty() ? run.status : run.said.front();
}

}  // namespace

std::vector<scenario::ReleasePlan::Backup> ReleaseCourse::planned_backups() const {
  std::vector<scenario::ReleasePlan::Backup> backups;
  for (const BackupForm form : m_production->backup_forms()) {
    auto& backup = backups.emplace_back();
    backup.form = form;
    backup.name = name_of(form);
    if (form == BackupForm::directory) backup.jobs = 2;
  }
  return backups;
}

const scenario::ReleasePlan::Backup* ReleaseCourse::planned(const std::string& name) const {
  for (const auto& backup : m_plan.backups) {
    if (backup.name == name) return &backup;
  }
  return nullptr;
}

engine::BackupRequest ReleaseCourse::request_of(const scenario::ReleasePlan::Backup& plan) const {
  engine::BackupRequest request;
  request.form = plan.form;
  request.path = m_backups / (plan.name + suffix_of(plan.form));
  request.jobs = plan.jobs;
  request.compress = plan.compress;
  request.command = plan.command;
  request.restore = plan.restore;
  request.deadline = m_options.statement_timeout;
  return request;
}

Result<void> ReleaseCourse::back_up_all() {
  for (const auto& plan : m_plan.backups) {
    const auto done = step("backup " + plan.name, [&](Step& step) -> Result<void> {
      engine::BackupRequest request = request_of(plan);
      auto made = m_production->back_up(request);
      if (!made) return failed(made);
      auto& backup = m_release.backups.emplace_back();
      backup.name = plan.name;
      backup.form = plan.form;
      backup.file = request.path.filename().string();
      backup.made = std::move(*made);
      backup.bytes = bytes_of(request.path);
      std::error_code error;
      if (fs::is_regular_file(request.path, error) || fs::is_directory(request.path, error)) {
        auto sum = sha256_of(request.path);
        if (!sum) return failed(sum);
        backup.sha256 = std::move(*sum);
      } else {
        step.ok = false;
        step.evidence.emplace_back("there is no file afterwards");
      }
      if (backup.made.failed) {
        step.ok = false;
        step.evidence.push_back(first_word(backup.made));
      }
      if (step.ok)
        step.evidence.push_back(fmt::format("{}: {} in {}", backup.made.command, human_bytes(backup.bytes),
                                            human(backup.made.duration)));
      return fill_disk(backup, request, step);
    });
    if (!done) return done;
  }
  return {};
}

/// A disk that is full in the middle of a backup has to be told. Of a file that goes out in a buffer or two
/// there is no middle: pg_dump passes over an error in its last buffer (seen with 15.18).
Result<void> ReleaseCourse::fill_disk(record::Backup& backup, engine::BackupRequest request, Step& step) {
  constexpr std::uint64_t k_least_bytes = 16 * 1024;
  const std::uint64_t bytes = bytes_of(largest_file(request.path));
  if (backup.made.failed || bytes < k_least_bytes) return {};
  request.room = bytes / 2;
  request.path += ".without-room";
  auto short_of_room = m_production->back_up(request);
  static_cast<void>(remove_tree(request.path));
  if (!short_of_room) return failed(short_of_room);
  backup.without_room = std::move(*short_of_room);
  if (backup.without_room->failed) {
    step.evidence.push_back("with a full disk it ends with " + backup.without_room->status);
  } else {
    step.ok = false;
    step.evidence.insert(step.evidence.begin(), "with a full disk it ends well, and half of it is missing");
  }
  return {};
}

/// A clean instance, where backups are brought back.
Result<void> ReleaseCourse::stand_elsewhere() {
  auto elsewhere = m_ground.base();
  if (!elsewhere) return failed(elsewhere);
  m_elsewhere = std::move(*elsewhere);
  return {};
}

engine::RestoreRequest ReleaseCourse::into_new_database(engine::BackupRequest backup) const {
  engine::RestoreRequest restore;
  restore.backup = std::move(backup);
  restore.fresh = true;
  return restore;
}

Result<void> ReleaseCourse::prove_all() {
  if (const auto stands = stand_elsewhere(); !stands) return stands;
  for (record::Backup& backup : m_release.backups) {
    if (backup.sha256.empty()) continue;
    const auto& plan = *planned(backup.name);
    const auto done = step("proof of " + backup.name, [&](Step& step) -> Result<void> {
      if (const auto proved = prove(backup, plan, step); !proved) return proved;
      return damage(backup, plan, step);
    });
    if (!done) return done;
    auto request = request_of(plan);
    request.path += ".under-writer";
    const auto fault = m_elsewhere->fault_under_writer(request);
    if (!fault) return failed(fault);
    if (!*fault) continue;
    backup.writer_fault = told(**fault);
    Step writer;
    writer.name = fmt::format("backup {} while somebody writes", backup.name);
    writer.ok = backup.writer_fault->empty();
    writer.evidence.push_back(writer.ok ? "it holds what was committed and no more, or refuses"
                                        : *backup.writer_fault);
    note(std::move(writer));
  }
  m_elsewhere.reset();
  return {};
}

/// Listed, brought back elsewhere, and everything in it compared.
Result<void> ReleaseCourse::prove(record::Backup& backup, const scenario::ReleasePlan::Backup& plan,
                                  Step& step) {
  const auto request = request_of(plan);
  auto contents = m_elsewhere->look_into(request, m_tables);
  if (!contents) return failed(contents);
  backup.listed = told(std::move(contents->run));
  backup.entries = contents->entries;
  backup.unlisted = std::move(contents->unlisted);
  auto restored = m_elsewhere->bring_back(into_new_database(request));
  if (!restored) return failed(restored);
  backup.restored = told(std::move(*restored));
  const auto state = read(*m_elsewhere);
  if (state) {
    backup.difference = away_from_backup(*state, &backup.left_out);
    for (const std::string& what : backup.left_out) step.evidence.push_back("not in the backup: " + what);
  } else {
    if (by_interrupt(state.error())) return failed(state);
    backup.restored->failed = true;
    backup.restored->said.push_back(told(state.error().message));
    if (const auto stands = stand_elsewhere(); !stands) return stands;
  }
  if (backup.listed->failed) {
    step.ok = false;
    step.evidence.push_back(fmt::format("cannot be read: {}", first_word(*backup.listed)));
  }
  if (!backup.restored->clean()) {
    step.ok = false;
    step.evidence.push_back("restored elsewhere: " + first_word(*backup.restored));
  }
  if (!backup.difference.empty()) {
    step.ok = false;
    step.evidence.push_back(fmt::format(
        "what comes back differs in {}",
        counted(static_cast<std::int64_t>(backup.difference.objects.size() + backup.difference.data.size()),
                "place")));
  } else if (!backup.restored->failed) {
    step.evidence.insert(step.evidence.begin(),
                         fmt::format("restored elsewhere in {}: schema, rows and content are the same",
                                     human(backup.restored->duration)));
  }
  if (!backup.listed->failed)
    step.evidence.push_back(fmt::format("{}: {}", backup.listed->command, counted(backup.entries, "object")));
  return {};
}

/// Would anybody notice? A copy is cut, another has one bit flipped. What tells it first is told.
Result<void> ReleaseCourse::damage(record::Backup& backup, const scenario::ReleasePlan::Backup& plan,
                                   Step& step) {
  if (backup.bytes < 2 || !backup.restored || backup.restored->failed || !backup.difference.empty())
    return {};
  for (const bool cut : {true, false}) {
    auto request = request_of(plan);
    const fs::path sound = request.path;
    request.path += ".damaged";
    std::error_code error;
    fs::copy(sound, request.path, fs::copy_options::recursive, error);
    if (error) return cannot("copy", sound, error.value());
    fs::permissions(request.path, fs::perms::others_read | fs::perms::group_read, fs::perm_options::add,
                    error);
    const fs::path hit = largest_file(request.path);
    const auto damaged = cut ? cut_in_half(hit) : flip_bit(hit);
    if (!damaged) return damaged;
    record::Damage& known = backup.damages.emplace_back();
    known.what = cut ? "cut to half its size" : "one bit flipped";
    auto contents = m_elsewhere->look_into(request, m_tables);
    if (!contents) return failed(contents);
    if (contents->run.failed) {
      known.noticed_by = contents->run.command;
      known.said = told(first_word(contents->run));
    } else {
      auto restored = m_elsewhere->bring_back(into_new_database(request));
      const auto state = restored ? read(*m_elsewhere) : failed(restored);
      if (!state) {
        if (by_interrupt(state.error())) return failed(state);
        if (const auto stands = stand_elsewhere(); !stands) return stands;
      }
      if (!state || !restored->clean()) {
        known.noticed_by = "the restore";
        known.said = told(state ? first_word(*restored) : state.error().message);
      } else if (!away_from_backup(*state).empty()) {
        known.noticed_by = "the comparison with what was backed up";
      }
    }
    static_cast<void>(remove_tree(request.path));
    step.evidence.push_back(known.noticed_by.empty()
                                ? fmt::format("{}: only the checksum tells", known.what)
                                : fmt::format("{}: noticed by {}", known.what, known.noticed_by));
  }
  return {};
}

/// A dump of one database holds no roles: a new server may lack what its owners and privileges name.
Result<void> ReleaseCourse::prove_on_new_server() {
  const auto dump = std::find_if(m_release.backups.begin(), m_release.backups.end(), [](const auto& backup) {
    return backup.restored && backup.restored->clean();
  });
  if (m_history.dialect == sql::Dialect::sqlite || !m_engine.images_are_directories() ||
      dump == m_release.backups.end())
    return {};
  return step(fmt::format("restore of {} on a new server", dump->name), [&](Step& step) -> Result<void> {
    auto image = m_engine.make_empty(m_options.work_directory / "new-server", m_scenario.database);
    if (!image) return failed(image);
    auto instance = m_ground.from(*image);
    if (!instance) return failed(instance);
    auto restored = (*instance)->bring_back(into_new_database(request_of(*planned(dump->name))));
    if (!restored) return failed(restored);
    dump->on_new_server = told(std::move(*restored));
    step.ok = dump->on_new_server->clean();
    step.evidence = dump->on_new_server->said;
    if (step.ok) step.evidence.emplace_back("it needs nothing that the backup does not hold");
    return m_engine.discard(*image);
  });
}

/// For the backups, and for a second copy of what the trial rewrites.
Result<void> ReleaseCourse::check_space() {
  return step("disk space", [&](Step& step) -> Result<void> {
    std::uint64_t backups = 0;
    for (const auto& backup : m_release.backups) backups += backup.bytes;
    step.evidence.push_back(fmt::format("backups take {}, and {} are free where they go",
                                        human_bytes(backups), human_bytes(m_release.free_bytes)));
    step.evidence.push_back(fmt::format("the database takes {}, and {} more while a table is written anew",
                                        human_bytes(m_release.database_bytes), human_bytes(m_rewritten)));
    step.ok = m_release.free_bytes > backups + m_release.database_bytes + m_rewritten;
    return {};
  });
}

}  // namespace lockkeeper::rehearsal
