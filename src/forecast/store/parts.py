"""Rows of any table of the store as Arrow tables, and back into SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from sqlalchemy import BigInteger, Connection, Double, Integer, LargeBinary, SmallInteger, Table, Text, insert, select

PART = 200_000
"""Rows that are held at once."""
KINDS: dict[type, tuple[pa.DataType, str]] = {
    SmallInteger: (pa.int64(), "int2"), Integer: (pa.int64(), "int4"), BigInteger: (pa.int64(), "int8"),
    Double: (pa.float64(), "float8"), Text: (pa.string(), "text"), LargeBinary: (pa.binary(), "bytea"),
}  # fmt: skip
"""What a column's type is called by Arrow and by PostgreSQL."""


def read_parts(connection: Connection, table: Table) -> Iterator[pa.Table]:
    """All rows of a table by its keys, some at a time."""
    schema = pa.schema([(column.name, KINDS[type(column.type)][0]) for column in table.columns])
    wanted = select(table).order_by(*table.primary_key).execution_options(yield_per=PART)
    for rows in connection.execute(wanted).partitions():
        columns = zip(*rows, strict=True)
        arrays = [pa.array(values, type=field.type) for values, field in zip(columns, schema, strict=True)]
        yield pa.Table.from_arrays(arrays, schema=schema)


def write_part(connection: Connection, table: Table, part: pa.Table) -> None:
    """Adds rows within the writer's transaction."""
    columns = [part.column(column.name).to_pylist() for column in table.columns]
    rows = zip(*columns, strict=True)
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
    elif part.num_rows:
        connection.exec_driver_sql(str(insert(table).compile(connection.engine)), list(rows))


def _copy(connection: Connection, table: Table, rows: Iterator[tuple[Any, ...]]) -> None:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types([KINDS[type(column.type)][1] for column in table.columns])
        for row in rows:
            copy.write_row(row)
