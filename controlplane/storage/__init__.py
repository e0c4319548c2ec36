"""The SQL database, SQLite or PostgreSQL: the only package that knows SQLAlchemy.

In come the values of the domain, out come the same values; rows never leave.
Implements the repository ports of targets, rules, alerts and notify, each in a
file named for it, and knows nothing of who calls. How to add one:

1. `tables/<area>.py` declares the tables on `schema.metadata` (instants are
   `Millis`, structures `Document`), with their indexes, constraints, and in
   `GROWTH` for each table why it stays small or how it is trimmed. One line in
   `tables/__init__.py` lists the module.
2. `migrations/versions/` has one file per step in one straight line, its
   `down_revision` the step before; ids and names are given out in
   `migrations/README.md`. `alembic check` runs in tests/contract.
3. `<area>.py` holds the repository: a class that takes a `Database`. Writes go
   in `async with db.begin() as connection`, reads in `db.read()`.
4. tests/contract/ tests it with the `database` fixture, on both engines, and
   records with tests/support/plans.py what it sends, to see that no statement
   reads a table whole.

An IntegrityError leaves as Conflict and a database that does not answer as
Unavailable: `Database` sees to both, so repositories catch nothing.
"""
