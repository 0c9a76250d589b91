//! Reads Postgres: connection strings, client programs, preflight, the `pg_dump` stream.
