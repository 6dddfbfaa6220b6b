"""Values as they are written -> float64."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from forecast.errors import DataError
from forecast.sources.stamps import Place

LARGEST = 1e30  # float32 holds no more than 3.4e38; no demand, temperature or price comes near
_COMMA = r"[-+]?\d*,\d+"
_THOUSANDS = r"[-+]?\d{1,3}(?:[,.' \u00a0]\d{3})+(?:[.,]\d+)?"


def numbers(values: pd.Series, decimal: str, place: Place) -> tuple[pd.Series, DataError | None]:
    """Values as float64, NaN where nothing is written.

    Args:
        values: numbers, booleans, or text.
        decimal: the decimal mark of text.
        place: what messages call the rows.

    Returns:
        The numbers, NaN also where a value is wrong, and what is wrong.

    >>> numbers(pd.Series(["4382,8", None]), ",", Place("y", "line"))[0].tolist()
    [4382.8, nan]
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if values.dtype.kind in "mM":  # durations and times
        return _wrong(values, values.notna(), decimal, place)
    if not pd.api.types.is_numeric_dtype(values):
        return _of_texts(values, decimal, place)
    return _finite(values.astype(np.float64), place)


def _of_texts(values: pd.Series, decimal: str, place: Place) -> tuple[pd.Series, DataError | None]:
    plain = values.map(lambda value: float(value) if isinstance(value, (int, float, Decimal)) else value)
    texts = plain.map(lambda value: value.strip() if isinstance(value, str) else value).replace("", None)
    if decimal == ",":
        points = texts.map(lambda value: isinstance(value, str) and "." in value)
        texts = texts.map(lambda value: value.replace(",", ".") if isinstance(value, str) else value).mask(points, "?")
    parsed = pd.to_numeric(texts, errors="coerce")
    wrong = parsed.isna() & texts.notna()
    if wrong.any():
        return parsed.astype(np.float64), _wrong(values, wrong, decimal, place)[1]
    return _finite(parsed.astype(np.float64), place)


def _finite(values: pd.Series, place: Place) -> tuple[pd.Series, DataError | None]:
    beyond = values.abs() > LARGEST
    if not beyond.any():
        return values, None
    rows = values.index[beyond]
    return values.mask(beyond), DataError(
        f"{len(rows)} values are infinite or beyond {LARGEST:g}", "finite numbers, or nothing where a value is missing",
        "correct or empty them", column=place.column, stamps=place.named(rows),
    )  # fmt: skip


def _wrong(values: pd.Series, wrong: pd.Series, decimal: str, place: Place) -> tuple[pd.Series, DataError]:
    texts = values[wrong].astype(str)
    return pd.Series(np.nan, index=values.index), DataError(
        f"{len(texts)} values are not numbers", "numbers, or nothing where a value is missing", _hint(texts, decimal),
        column=place.column, stamps=place.named(texts.index, texts),
    )  # fmt: skip


def _hint(texts: pd.Series, decimal: str) -> str:
    stripped = texts.str.strip()
    thousands = bool(stripped.str.fullmatch(_THOUSANDS).all())
    if decimal == "," and bool(stripped.str.fullmatch(r"[-+]?\d*\.\d+").all()):
        more = ", or export them without thousands separators" if thousands else ""
        return f"these have a decimal point: leave --decimal , away{more}"
    if decimal == "." and bool(stripped.str.fullmatch(_COMMA).all()):
        more = ", or export them without thousands separators if that is what the comma is" if thousands else ""
        return f"these have comma decimals: declare --decimal ,{more}"
    if thousands:
        return "export the numbers without thousands separators"
    return "correct or empty these values"
