"""Triggers that note what changes in a table, for the replicas that mirror it.

For migrations only. One that makes a mirrored table says after it

    note_changes("table", key="id", kind="word")

and `note_no_changes("table")` first in its downgrade. On SQLite, where there is
one replica, both do nothing. What stands here is part of migrations that have
run: a different trigger needs a function of its own.
"""

from alembic import op


def note_changes(
    table: str, *, key: str, kind: str, apart: str | None = None, apart_kind: str = ""
) -> None:
    """Note the key of each row that is inserted, deleted, or updated to other values.

    An update that changes nothing but the column `apart` is noted as
    `apart_kind`: what comes often, and is read in another way. `key` is part of
    the primary key, and never changes.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(_function(table, key, kind, apart or key, apart_kind or kind))
    op.execute(
        f"CREATE TRIGGER note_{table} AFTER INSERT OR UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION note_{table}()"
    )


def note_no_changes(table: str) -> None:
    """Undo `note_changes`."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(f"DROP TRIGGER note_{table} ON {table}")
    op.execute(f"DROP FUNCTION note_{table}()")


def _function(table: str, key: str, kind: str, apart: str, apart_kind: str) -> str:
    """Return the trigger's function. Rows are compared by their bytes: `json` has no equality."""
    return f"""
CREATE FUNCTION note_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    noted text := '{kind}';
    changed {table}%ROWTYPE;
BEGIN
    IF TG_OP = 'DELETE' THEN
        NEW := OLD;
    ELSIF TG_OP = 'UPDATE' THEN
        IF NEW *= OLD THEN
            RETURN NULL;
        END IF;
        changed := NEW;
        changed.{apart} := OLD.{apart};
        IF changed *= OLD THEN
            noted := '{apart_kind}';
        END IF;
    END IF;
    INSERT INTO changes (kind, key, at, xid) VALUES (
        noted, NEW.{key}, floor(extract(epoch FROM clock_timestamp()) * 1000),
        pg_current_xact_id()::text::bigint
    );
    RETURN NULL;
END
$$"""  # noqa: S608 - names of our own tables, written in migrations
