"""The table of a protocol on a narrow terminal."""

from __future__ import annotations

from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from forecast.cli.standing import figures_table
from forecast.protocols import PROTOCOLS


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_eighty_columns_hide_no_figure(name: str) -> None:
    protocol = PROTOCOLS[name]
    scores = pd.DataFrame({figure: [31.0] for figure in protocol.headline}, index=["default"])
    file = StringIO()
    Console(file=file, width=80).print(figures_table(protocol, scores, ["default"], "a title"))
    assert "…" not in file.getvalue()
    assert "default" in file.getvalue()
