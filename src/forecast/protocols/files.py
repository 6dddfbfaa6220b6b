"""The data files that protocols are defined on, read with a sentence for every way in which they can be wrong."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from forecast.errors import DataError


def read_table(path: Path, columns: tuple[str, ...], about: str) -> pd.DataFrame:
    """Some columns of a Parquet file.

    Args:
        path: the file.
        columns: those that the protocol reads.
        about: what the file is, for the sentence.

    Raises:
        DataError: there is no such file, it is not Parquet, or a column is missing.
    """
    if not path.is_file():
        raise DataError(f"no file {path}", f"{about} as Parquet", "give its path with --data")
    try:
        return pd.read_parquet(path, columns=list(columns))
    except Exception as error:
        # pyarrow names a missing column in one of several errors of its own, an odd file in others.
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path} is not {about} ({told[:120]})", f"columns {', '.join(columns)}", "give its path with --data"
        ) from error
