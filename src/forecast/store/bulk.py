"""Many rows at once, as Arrow through ADBC.

Run as a program it reads SQLite in a process of its own: ADBC brings a second SQLite library, and two of them in one
process release each other's file locks. PostgreSQL is read in the asking process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

BATCH = 65_536


def read_sqlite(file: str, statements: Sequence[str]) -> list[Any]:
    """The answers of some statements as Arrow tables, from a child process.

    Raises:
        OSError: the child could not read; the message says why.
    """
    import pyarrow as pa

    asked = json.dumps({"file": file, "statements": list(statements)}).encode()
    with subprocess.Popen(
        [sys.executable, "-I", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write(asked)
        child.stdin.close()
        try:
            answers = [pa.ipc.open_stream(child.stdout).read_all() for _ in statements]
        except pa.ArrowInvalid as error:
            told = child.stderr.read().decode(errors="replace").strip().splitlines()
            raise OSError(0, (told or [str(error)])[-1], file) from error
    return answers


def read_postgresql(uri: str, statements: Sequence[str], snapshot: str) -> list[Any]:
    """The answers of some statements as Arrow tables, of the state of the database that another connection exported.

    Raises:
        OSError: the database does not answer.
    """
    from adbc_driver_postgresql import dbapi

    try:
        with dbapi.connect(uri) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            answers = []
            for statement in statements:
                cursor.execute(statement)
                answers.append(cursor.fetch_arrow_table())
    except dbapi.Error as error:
        raise OSError(0, str(error).splitlines()[0][:300]) from None
    return answers


def _child() -> None:
    """Reads what is asked on standard input, answers on standard output as one Arrow stream per statement."""
    import pyarrow as pa
    from adbc_driver_sqlite import dbapi

    asked = json.load(sys.stdin)
    with dbapi.connect(f"file:{asked['file']}?mode=ro") as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(BATCH)})
        for statement in asked["statements"]:
            cursor.execute(statement)
            reader = cursor.fetch_record_batch()
            with pa.ipc.new_stream(sys.stdout.buffer, reader.schema) as stream:
                for batch in reader:
                    stream.write_batch(batch)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    _child()
