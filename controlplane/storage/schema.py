"""The one MetaData and the column types that mean the same on both engines.

Instants are BigInteger milliseconds, structures are JSON text (plain `json` on
PostgreSQL: unlike `jsonb` it keeps every string that JSON can write, NUL
included). Every constraint has a name by convention, so that a migration can
find it again on both engines.
"""

from typing import Final

from sqlalchemy import BigInteger, Integer, MetaData
from sqlalchemy.types import JSON, TypeEngine

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# An instant or a duration in milliseconds.
Millis: Final[TypeEngine[int]] = BigInteger()
# A counted primary key. SQLite counts only columns declared INTEGER; say
# `sqlite_autoincrement=True` on the table where numbers must never come back.
Serial: Final[TypeEngine[int]] = BigInteger().with_variant(Integer(), "sqlite")
# A JSON structure. NULL in Python is NULL in SQL, not the JSON word.
Document: Final = JSON(none_as_null=True)
