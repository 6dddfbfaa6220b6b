"""`Finding` and `QualityReport`: what is wrong where, and what is done with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

import pandas as pd

from forecast.errors import DeclarationError

Rule = Literal[
    "gap", "duplicate", "stuck meter", "spike", "level shift", "impossible value", "unit slip", "clock slip",
    "clock change", "late data",
]  # fmt: skip
Severity = Literal["error", "warning", "note"]
Done = Literal["kept", "masked", "repaired for context"]

RULES: tuple[Rule, ...] = get_args(Rule)
USUAL: dict[Rule, Done] = {
    "gap": "kept",
    "duplicate": "kept",
    "stuck meter": "masked",
    "spike": "masked",
    "level shift": "kept",  # the demand itself may have moved, and only a person can tell
    "impossible value": "masked",
    "unit slip": "masked",
    "clock slip": "masked",
    "clock change": "kept",
    "late data": "kept",
}
"""What is done with a rule's findings unless a person says otherwise."""
REPAIRABLE: tuple[Rule, ...] = ("unit slip", "clock slip")
"""Rules that know what the values should have been: by a factor, by an hour."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one series.

    Attributes:
        series: its name.
        first, last: start of the first and of the last period concerned (UTC).
        rule: what kind of thing it is.
        severity: "error" (the value cannot be true), "warning" (it is hardly true), "note" (worth knowing).
        size: how large it is, in words.
        done: what `mask` or `repaired` does with its values.
        factor: for a unit slip, what its values were multiplied by; for a clock slip, hours that they are late; else 0.
    """

    series: str
    first: pd.Timestamp
    last: pd.Timestamp
    rule: Rule
    severity: Severity
    size: str
    done: Done = "kept"
    factor: float = 0.0

    def __str__(self) -> str:
        span = f"{self.first:%Y-%m-%d %H:%M}"
        if self.last != self.first:
            span += f" to {self.last:%Y-%m-%d %H:%M}"
        return f"{self.series}: {self.rule}, {self.size}, {span}Z; {self.done}"


@dataclass(frozen=True)
class QualityReport:
    """Everything that was found in a table, in the order of series and time.

    Attributes:
        findings: what was found.
    """

    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.findings)

    def __add__(self, other: QualityReport) -> QualityReport:
        both = sorted((*self.findings, *other.findings), key=lambda one: (one.series, one.first, RULES.index(one.rule)))
        return QualityReport(tuple(both))

    def of(self, rule: Rule) -> tuple[Finding, ...]:
        """The findings of one rule."""
        return tuple(one for one in self.findings if one.rule == rule)

    def treating(self, rule: Rule, done: Done) -> QualityReport:
        """The same findings, those of one rule treated otherwise: a person knows better than the rule.

        Raises:
            DeclarationError: the rule or the treatment is not known, or its findings cannot be repaired.
        """
        if rule not in RULES:
            raise DeclarationError(f"no rule '{rule}'", f"one of {', '.join(RULES)}")
        if done not in get_args(Done):
            raise DeclarationError(f"a finding cannot be '{done}'", f"one of {', '.join(get_args(Done))}")
        if done == "repaired for context" and rule not in REPAIRABLE:
            raise DeclarationError(f"a {rule} cannot be repaired", f"one of {', '.join(REPAIRABLE)}", "mask it instead")
        told = (
            replace(one, done=done) if one.rule == rule and (one.factor or done != "repaired for context") else one
            for one in self.findings
        )
        return QualityReport(tuple(told))

    def touching(self) -> QualityReport:
        """Only the findings whose values are not left as they are."""
        return QualityReport(tuple(one for one in self.findings if one.done != "kept"))

    def frame(self) -> pd.DataFrame:
        """A row per finding: series, first, last, rule, severity, size, done."""
        columns = ["series", "first", "last", "rule", "severity", "size", "done"]
        return pd.DataFrame([asdict(one) for one in self.findings], columns=[*columns, "factor"])[columns]

    def counts(self) -> pd.DataFrame:
        """How many findings each series has of each rule; rules without one are left out."""
        frame = self.frame()
        found = [rule for rule in RULES if rule in set(frame["rule"])]
        return pd.crosstab(frame["series"], frame["rule"]).reindex(columns=found, fill_value=0)


def found(findings: Iterable[Finding]) -> QualityReport:
    """A report of findings in any order."""
    return QualityReport() + QualityReport(tuple(findings))
