#include "engine/postgres/relay.h"

#include <array>
#include <utility>

#include <fmt/format.h>
#include <poll.h>

namespace lockkeeper::engine::postgres {

namespace {

using Clock = std::chrono::steady_clock;

// PostgreSQL's own authentication_timeout.
constexpr std::chrono::seconds k_login_deadline{60};
constexpr std::chrono::seconds k_parting_deadline{5};
constexpr std::chrono::milliseconds k_look_deadline{60'000};
constexpr std::size_t k_most_unsent = 1024 * 1024;
constexpr std::size_t k_most_waiting = wire::k_whole_limit + 128 * 1024;
// What a client may send ahead of an answer before we read no further.
constexpr std::size_t k_most_held_back = 64 * 1024;
constexpr int k_most_requests = 4;

/// Takes as long whichever byte differs.
bool same_secret(std::string_view one, std::string_view other) {
  if (one.size() != other.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < one.size(); ++i)
    difference |=
        static_cast<unsigned>(static_cast<unsigned char>(one[i]) ^ static_cast<unsigned char>(other[i]));
  return difference == 0;
}

/// Can anything be due at COMMIT only? Yes where it cannot be told.
bool has_deferrable(Session& session) {
  const auto found = session.send("SELECT 1 FROM pg_catalog.pg_trigger WHERE tgdeferrable LIMIT 1",
                                  k_look_deadline, Rows::keep);
  return !found || found->error || !found->rows.empty();
}

}  // namespace

Relay::Relay(Descriptor client, ToolWatch& watch)
    : m_watch(watch),
      m_client(std::move(client)),
      m_tool(m_server, m_client, watch.stop),
      m_observer(m_tool, watch.committed, &watch.before) {}

void Relay::run() {
  if (const auto start_up = greet()) {
    m_watched = m_watch.observe == Observe::yes && !start_up->replication &&
                start_up->database == m_watch.door.database;
    m_never_hold = start_up->replication;
    if (authenticate() && log_in(*start_up)) pump();
  }
  leave();
}

void Relay::leave() {
  m_observer.drop_samples();
  m_client.flush_all(Clock::now() + k_parting_deadline, m_watch.stop);
  m_server.close();
  m_client.close();
  auto rest = m_conversation.take_rest();
  if (m_watched && !rest.empty()) m_observer.lost_sight();
  for (const Told& each : rest) {
    if (each.sort == Sort::ordinary) m_transaction.has_changes = true;
  }
  note(std::move(rest));
  m_watch.note([&](Seen& seen) {
    const Touched& touched = m_observer.touched();
    seen.touched.everything = seen.touched.everything || touched.everything;
    seen.touched.tables.insert(touched.tables.begin(), touched.tables.end());
    if (m_status != 'I' && m_transaction.has_changes) seen.left_transaction_open = true;
    if (!m_conversation.session_error()) return;
    seen.last_error = m_conversation.session_error();
    seen.last_error_at = seen.statements.size();
  });
}

void Relay::note(std::vector<Told> told) {
  m_watch.note([&](Seen& seen) {
    for (Told& each : told) {
      seen.statements.push_back(std::move(each.record));
      const auto& error = seen.statements.back().error;
      if (!error || error->sqlstate.empty()) continue;
      // What a tool tries in a transaction that has failed says nothing of why.
      if (error->sqlstate != "25P02" || !seen.last_error) seen.last_error = error;
      seen.last_error_at = seen.statements.size();
    }
  });
}

/// Between two statements, as an administrator or a failover would. The tool learns of it by what the server
/// says.
void Relay::stop_where_due() {
  std::set<int> backends;
  m_watch.note([&](Seen& seen) {
    if (!m_watch.stop_after || seen.stopped || seen.statements.size() < *m_watch.stop_after) return;
    seen.stopped = Clock::now();
    backends = seen.backends;
  });
  if (!backends.empty() && m_watch.kill_server) {
    m_watch.kill_server();
    return;
  }
  for (const int backend : backends) {
    static_cast<void>(m_watch.committed.send(fmt::format("SELECT pg_terminate_backend({})", backend),
                                             k_look_deadline, Rows::drop));
  }
}

bool Relay::read_more(Link& link, const Descriptor& stop) {
  return !link.ended() && !link.in().malformed() &&
         link.wait(Clock::now() + k_login_deadline, stop) == Link::Woken::ready;
}

void Relay::refuse(std::string_view sqlstate, const std::string& message) {
  m_client.send(wire::fatal(sqlstate, message));
  m_watch.note([&](Seen& seen) {
    seen.last_error = record::SqlError{std::string(sqlstate), message, "", "", ""};
    seen.last_error_at = seen.statements.size();
  });
}

/// Up to the packet that opens a session; none where there is none to open.
std::optional<Relay::StartUp> Relay::greet() {
  for (int request = 0; request < k_most_requests;) {
    const auto packet = m_client.in().next_packet();
    if (!packet) {
      if (!read_more(m_client, m_watch.closing)) return std::nullopt;
      continue;
    }
    ++request;
    wire::Reader reader(packet->substr(4));
    const std::uint32_t asked = reader.int32();
    if (asked == wire::k_ssl_request || asked == wire::k_gss_request) {
      m_client.send("N");
      continue;
    }
    if (asked == wire::k_cancel_request) {
      pass_on_cancel(*packet);
      return std::nullopt;
    }
    if (asked >> 16 != 3) {
      refuse("0A000", "unsupported frontend protocol");
      return std::nullopt;
    }
    StartUp start_up;
    start_up.packet = *packet;
    while (!reader.at_end()) {
      const std::string_view name = reader.text();
      const std::string_view value = reader.text();
      if (name == "user") start_up.user = value;
      if (name == "database") start_up.database = value;
      if (name == "replication") start_up.replication = value != "false" && value != "off" && value != "0";
    }
    if (start_up.database.empty()) start_up.database = start_up.user;
    return start_up;
  }
  return std::nullopt;
}

void Relay::pass_on_cancel(std::string_view packet) {
  auto socket = m_watch.door.connect();
  if (!socket) return;
  m_server = Link(std::move(*socket));
  m_server.send(packet);
  // The server closes the connection when it has done so.
  while (read_more(m_server, m_watch.stop)) {
  }
}

/// 127.0.0.1 is open to everybody on this machine.
bool Relay::authenticate() {
  m_client.send(wire::message('R', wire::int32(3)));
  while (true) {
    const auto piece = m_client.in().next();
    if (!piece) {
      if (!read_more(m_client, m_watch.closing)) return false;
      continue;
    }
    if (piece->type == 'p' && piece->whole() &&
        same_secret(wire::Reader(piece->body).text(), m_watch.password))
      return true;
    refuse("28P01", "the password is not the one that lockkeeper gave out (DATABASE_URL, PGPASSWORD)");
    return false;
  }
}

bool Relay::log_in(const StartUp& start_up) {
  auto socket = m_watch.door.connect();
  if (!socket) {
    refuse("08006", socket.error().message);
    return false;
  }
  m_server = Link(std::move(*socket));
  m_server.send(start_up.packet);
  std::unique_ptr<LoginAnswers> answers;
  while (true) {
    const auto piece = m_server.in().next();
    if (!piece) {
      if (!read_more(m_server, m_watch.stop)) return false;
      continue;
    }
    if (const auto done = take_login_message(*piece, answers)) return *done;
  }
}

/// Whether the session is open; none while that is undecided.
std::optional<bool> Relay::take_login_message(const wire::Piece& piece,
                                              std::unique_ptr<LoginAnswers>& answers) {
  if (piece.type != 'R' || wire::int32_at(piece.body) == 0) {
    m_client.send(piece.bytes);
    if (piece.type == 'R') return true;
    if (piece.type != 'E') return std::nullopt;
    m_conversation.received(piece);
    return false;
  }
  if (!answers) {
    auto opened = LoginAnswers::open(m_watch.door, m_watch.directory);
    if (!opened) {
      refuse("28000", opened.error().message);
      return false;
    }
    answers = std::move(*opened);
  }
  const auto answer = answers->answer(piece.bytes);
  if (!answer) {
    refuse("28000", answer.error().message);
    return false;
  }
  m_server.send(*answer);
  return std::nullopt;
}

void Relay::pump() {
  if (m_watched) {
    record::StatementRecord nobodys;
    static_cast<void>(m_observer.look_from_outside(nobodys, false));
  }
  while (!over()) {
    const bool taken_from_client = take_from_client();
    const bool taken_from_server = take_from_server();
    m_server.flush();
    m_client.flush();
    if (taken_from_client || taken_from_server) continue;
    if (m_server.ended()) return;
    // All that the client said is handed on: the server is to see its end, as it would have.
    if (m_client.ended() && !m_held_back && m_server.unsent() == 0 && !m_finished_writing) {
      m_finished_writing = true;
      m_server.close_writing();
    }
    if (!wait()) return;
  }
}

bool Relay::over() {
  // A backend too ends when it cannot tell its client something.
  return m_client.broken() || m_client.in().malformed() || m_server.in().malformed();
}

/// False where the watch ends it.
bool Relay::wait() {
  const bool hears_client = !m_client.ended() && m_server.unsent() < k_most_unsent &&
                            m_client.in().waiting() < (m_held_back ? k_most_held_back : k_most_waiting);
  const bool hears_server =
      !m_server.ended() && m_client.unsent() < k_most_unsent && m_server.in().waiting() < k_most_waiting;
  const auto events = [](bool hears, const Link& link) {
    return static_cast<short>((hears ? POLLIN : 0) | (link.unsent() > 0 ? POLLOUT : 0));
  };
  const short of_client = events(hears_client, m_client);
  const short of_server = events(hears_server, m_server);
  // One that is not waited for is left out: poll(2) tells of its end all the time.
  std::array<pollfd, 4> polled{{{of_client != 0 ? m_client.socket() : -1, of_client, 0},
                                {of_server != 0 ? m_server.socket() : -1, of_server, 0},
                                {m_watch.stop.get(), POLLIN, 0},
                                {m_closing ? -1 : m_watch.closing.get(), POLLIN, 0}}};
  ::poll(polled.data(), polled.size(), -1);
  if (polled[2].revents != 0) return false;
  if (polled[3].revents != 0) {
    m_closing = true;
    if (!m_client.closed_by_peer()) return false;
  }
  if (hears_client && polled[0].revents != 0) m_client.receive();
  if (hears_server && polled[1].revents != 0) m_server.receive();
  return true;
}

bool Relay::take_from_client() {
  bool taken = false;
  while (!m_held_back && m_server.unsent() < k_most_unsent) {
    const auto piece = m_client.in().next();
    if (!piece) break;
    taken = true;
    if (piece->first) client_says(*piece);
    m_server.send(piece->bytes);
    const bool asks = piece->type == 'Q' || piece->type == 'F' || (piece->type == 'S' && !m_copying_in) ||
                      ((piece->type == 'c' || piece->type == 'f') && m_conversation.in_query());
    if (asks && piece->last && !m_never_hold) m_held_back = true;
  }
  return taken;
}

void Relay::client_says(const wire::Piece& piece) {
  if (piece.type == 'c' || piece.type == 'f') {
    m_copying_in = false;
    m_copy_ended = true;
    return;
  }
  // The server reads over them.
  if (m_copying_in && (piece.type == 'S' || piece.type == 'H')) return;
  if (m_conversation.at_rest() && m_conversation.begins_commit(piece)) before_commit();
  // What is sent outside a transaction may be over, with its locks, when a look could reach it.
  if (m_watched && m_status == 'I' && m_conversation.at_rest() && !m_observer.samples())
    static_cast<void>(m_observer.begin_sampling(m_backend));
  m_conversation.sent(piece);
}

bool Relay::take_from_server() {
  bool taken = false;
  while (m_client.unsent() < k_most_unsent) {
    const auto piece = m_server.in().next();
    if (!piece) break;
    taken = true;
    if (piece->type == 'Z' && piece->whole()) {
      // A look reads on, and takes away what the piece points to.
      const std::string bytes(piece->bytes);
      ready(bytes.back());
      m_client.send(bytes);
      continue;
    }
    if (piece->first) server_says(*piece);
    m_client.send(piece->bytes);
  }
  return taken;
}

void Relay::server_says(const wire::Piece& piece) {
  switch (piece.type) {
    case 'D':
    case 'd':
      return;
    case 'K':
      m_backend = static_cast<int>(wire::int32_at(piece.body));
      m_watch.note([&](Seen& seen) { seen.backends.insert(m_backend); });
      return;
    case 'S':
      return m_tool.learn(piece.body);
    case 'G':
      if (m_copy_ended && !m_conversation.in_query()) return;
      m_conversation.forget_sync();
      m_copying_in = true;
      m_held_back = false;
      return;
    case 'E':
      // A Query is over with it, but for ReadyForQuery.
      if (m_copying_in && m_conversation.in_query()) m_held_back = !m_never_hold;
      m_copying_in = false;
      [[fallthrough]];
    default:
      m_conversation.received(piece);
  }
}

/// Before the client learns that its turn has come again.
void Relay::ready(char status) {
  auto told = m_conversation.take();
  m_copying_in = false;
  m_copy_ended = false;
  if (m_watched) look(status, told);
  if (status != 'I') m_observer.drop_samples();
  m_status = status;
  m_held_back = false;
  note(std::move(told));
  stop_where_due();
}

/// What ran since the client's last turn: inside a transaction it is looked at from inside; of what ran in
/// none, or in one that has ended since, only what it wrote can still be seen.
void Relay::look(char status, std::vector<Told>& told) {
  Told* last = nullptr;
  bool may_change_rows = false;
  const auto look_from_outside = [&] {
    if (last != nullptr)
      static_cast<void>(m_observer.look_from_outside(last->record, std::exchange(may_change_rows, false)));
    last = nullptr;
  };
  for (Told& each : told) {
    if (each.sort == Sort::control) continue;
    if (each.sort == Sort::commit || each.sort == Sort::rollback) {
      look_from_outside();
      transaction_ended(each);
      continue;
    }
    const bool changes = each.sort == Sort::ordinary;
    if (changes || each.sort == Sort::reading) {
      m_transaction.has_snapshot = true;
      may_change_rows = true;
    }
    if (changes && !each.record.error) m_transaction.has_changes = true;
    last = &each;
  }
  if (status == 'I') {
    if (last != nullptr && m_observer.samples()) {
      static_cast<void>(m_observer.end_sampling(last->record));
      if (may_change_rows && last->record.wal_bytes > 0) m_observer.lost_sight();
      last = nullptr;
    }
    m_observer.drop_samples();
    look_from_outside();
    m_transaction = {};
  } else if (status == 'T' && last != nullptr && m_transaction.has_snapshot) {
    look_inside(*last);
  }
}

void Relay::look_inside(Told& told) {
  // That files are again what they were before the savepoint is nothing that the statement rewrote.
  record::StatementRecord nobodys;
  record::StatementRecord& statement = told.sort == Sort::rollback_to ? nobodys : told.record;
  if (!m_observer.look(statement)) m_observer.lost_sight();
  told.record.locks_observed = statement.locks_observed;
}

void Relay::transaction_ended(Told& told) {
  const bool commits = told.sort == Sort::commit && !told.record.error;
  if (commits && !m_transaction.commit_watched && m_observer.saw_row_changes() &&
      has_deferrable(m_watch.committed))
    m_observer.lost_sight();
  m_observer.transaction_ended();
  m_observer.forget_storage();
  m_transaction = {};
  static_cast<void>(m_observer.look_from_outside(told.record, false));
}

/// Deferred triggers may change rows too, and can still be watched now; without a changed row so far none is
/// due. Where they fail, COMMIT is left to say so.
void Relay::before_commit() {
  if (!m_watched || m_status != 'T' || !m_transaction.has_snapshot || !m_observer.saw_row_changes()) return;
  m_transaction.commit_watched = true;
  if (!has_deferrable(m_tool)) return;
  if (!m_observer.look_before_commit()) m_observer.lost_sight();
}

}  // namespace lockkeeper::engine::postgres
