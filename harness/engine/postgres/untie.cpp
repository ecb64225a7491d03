#include "engine/postgres/untie.h"

#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

void untie_database(const std::string& connection) {
  auto session = Connection::open(connection);
  if (!session) return;
  session->run_to_end("SET search_path = ''; SET default_transaction_read_only = off; SET ROLE NONE");
  // Who is no superuser may not read pg_subscription.subconninfo, but these columns.
  for (const char* query :
       {"SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = "
        "current_database()",
        "SELECT format(step, subname) FROM unnest('{ALTER SUBSCRIPTION %I DISABLE,"
        "ALTER SUBSCRIPTION %I SET (slot_name = NONE),DROP SUBSCRIPTION %I}'::text[]) step,  "
        "pg_subscription"
        " WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"}) {
    for (const Connection::Row& row : session->rows_to_end(query)) session->run_to_end(row[0].value_or(""));
  }
}

}  // namespace lockkeeper::engine::postgres
