"""`issue_block`: some series read, forecast and written together, as a whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from forecast import clock
from forecast.errors import DataError, ForecastError
from forecast.fallback import ERROR, NO_MODEL, PREVIOUS, Profile
from forecast.forecaster import ForecasterSpec
from forecast.issuing.answer import Climb, Speaker, Spoken, climbed, profile_of, shadowed
from forecast.issuing.due import Block, Question
from forecast.issuing.issuance import Issuance
from forecast.issuing.reading import Span, heard, reads, table_of
from forecast.issuing.speakers import CHALLENGER, Speakers, loaded
from forecast.registry.reader import ModelRef
from forecast.settings import Settings
from forecast.store import Store, catalogue
from forecast.store.catalogue import Entry
from forecast.store.engine import writing
from forecast.store.issued import CHAMPION
from forecast.store.packed import Packed, Said, known_ids, record_new
from forecast.store.purposes import BACKFILL, ISSUE, SHADOW
from forecast.tables import Columns, Demand

MISFIT = "misfit"
"""The model reads series of another step, unit or clock, or a static column that the store does not know of one."""
RECALLED_DAYS = 400
"""So far back a series is looked for that said nothing in the last weeks."""
SECOND = 1_000_000_000


def issue_block(store: Store, settings: Settings, block: Block, speakers: Speakers) -> Issuance:
    """Reads, forecasts and writes one block; what the ledger holds of it already is left alone.

    Raises:
        StoreError: the store does not answer; nothing of the block is written.
    """
    question = block.question
    official = {question.id(name): name for name in block.names}
    shadows = {question.id(name, SHADOW): name for name in block.names} if _has_shadow(question, speakers) else {}
    with store.snapshot() as connection:
        there = known_ids(connection, [*official, *shadows])
        due = [name for id, name in official.items() if id not in there]
        beside = [name for id, name in shadows.items() if id not in there]
        if not due and not beside:
            return Issuance(known=len(official))
        wanted = None if _listening(speakers, settings) else {*due, *beside}
        entries = catalogue.entries(connection, wanted)
    teller = _Teller(store, settings, block, entries, speakers, clock.now())
    said = teller.official([name for name in due if name in entries])
    told = teller.shadow([name for name in beside if name in entries])
    issued_at = clock.now()
    with writing(store.engine) as connection:
        written = record_new(connection, [_packed(block, one, issued_at, question.purpose, teller) for one in said])
        shadow = record_new(connection, [_packed(block, one, issued_at, SHADOW, teller) for one in told])
    new = [one for one, is_new in zip(said, written, strict=True) if is_new]
    return Issuance(
        written=len(new), known=len(official) - len(due) + len(said) - len(new), shadow=sum(shadow),
        rungs=Counter((one.rung, one.reason) for one in new), failed=teller.failed, last=issued_at if new else None,
        late_s=(issued_at - block.cutoff).total_seconds() if new else None, notes=tuple(dict.fromkeys(teller.notes)),
    )  # fmt: skip


@dataclass(eq=False)
class _Teller:
    """Says what is to be said of the series of a block.

    Attributes:
        failed: series of which nothing can be said, and why.
        notes: what to know of all that is said.
    """

    store: Store
    settings: Settings
    block: Block
    entries: Mapping[str, Entry]
    speakers: Speakers
    now: pd.Timestamp
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def official(self, names: Sequence[str]) -> list[Spoken]:
        """One forecast of each series."""
        if not names:
            return []
        speaker, rung, why = self._best()
        before = self._loaded(self.speakers.previous) if speaker is not None and rung == CHAMPION else None
        able = [name for name in names if speaker is not None and self._tells(name, speaker.forecaster.spec)]
        others = sorted(set(names) - set(able))
        said: list[Spoken] = []
        for some, asked, reason in ((able, speaker, None), (others, None, why or MISFIT)):
            for climb in self._climbs(some, asked, reason):
                climbed(climb, asked, before, rung)
                if climb.silent:
                    self._recall(climb, profile_of(asked, before))
                said += [self._second(one) if one.rung == PREVIOUS else one for one in climb.spoken.values()]
                self.failed |= climb.failed
        return said

    def shadow(self, names: Sequence[str]) -> list[Spoken]:
        """What the challenger says; nothing where it cannot be asked."""
        challenger = self._loaded(self.speakers.challenger) if names else None
        if challenger is None or not reads(challenger.forecaster.spec, self.block):
            return []
        spec = challenger.forecaster.spec
        able, span = [name for name in names if self._tells(name, spec)], Span.of(self.block, spec, self.now)
        try:
            demand = self._table(able, spec, span) if able else None
        except DataError:
            return []
        return shadowed(self.block, span, demand, challenger, CHALLENGER) if demand is not None else []

    def _best(self) -> tuple[Speaker | None, str, str | None]:
        """The version to ask first and its rung; the reason of all series where there is none."""
        reason = NO_MODEL
        for ref, rung in ((self.speakers.champion, CHAMPION), (self.speakers.previous, PREVIOUS)):
            speaker = self._loaded(ref)
            if speaker is None:
                continue
            spec = speaker.forecaster.spec
            if reads(spec, self.block):
                return speaker, rung, None
            reason = MISFIT
            self.notes.append(
                f"the {rung} reads {spec.unit} every {spec.step}: series in {self.block.unit} every {self.block.step} "
                "are told by the rungs below it"
            )
        return None, CHAMPION, reason

    def _loaded(self, ref: ModelRef | None) -> Speaker | None:
        if ref is None:
            return None
        try:
            return Speaker(ref, loaded(ref, self.settings))
        except ForecastError as error:
            self.notes.append(f"version {ref.version} of '{ref.name}' cannot be loaded and is not asked: {error}")
            return None

    def _second(self, one: Spoken) -> Spoken:
        """What the version before says where the champion itself could not be asked."""
        return one if one.reason is not None else replace(one, reason=NO_MODEL)

    def _tells(self, name: str, spec: ForecasterSpec) -> bool:
        """Whether the store knows every static column of a series."""
        return all(column in self.entries[name].info.static for column in spec.static)

    def _climbs(self, names: Sequence[str], speaker: Speaker | None, why: str | None) -> Iterator[Climb]:
        """The table of some series, to be climbed; several where one of them spoils it, and that one fails."""
        if not names:
            return
        spec = speaker.forecaster.spec if speaker is not None else None
        span = Span.of(self.block, spec, self.now)
        try:
            climb = Climb.of(self.block, span, self._table(names, spec, span), speaker, why or ERROR)
        except DataError as error:
            if len(names) == 1:
                self.failed[names[0]] = str(error)
                return
            half = len(names) // 2
            yield from self._climbs(names[:half], speaker, why)
            yield from self._climbs(names[half:], speaker, why)
            return
        yield climb

    def _recall(self, climb: Climb, profile: Profile | None) -> None:
        """Of series that have been silent for long, what they said when they still spoke: the level is theirs."""
        span, silent = climb.span.since(RECALLED_DAYS, self.block.step), dict(climb.silent)
        try:
            demand = self._table(list(silent), None, span)
        except DataError:
            climb.reasons |= silent
            climb.fall(profile, last=True)
            return
        again = Climb(self.block, span, demand, climb.levels, reasons=silent)
        again.fall(profile, RECALLED_DAYS, last=True)
        climb.spoken |= again.spoken
        climb.failed |= again.failed

    def _table(self, names: Sequence[str], spec: ForecasterSpec | None, span: Span) -> Demand:
        columns = spec.columns if spec is not None else Columns()
        others = heard(spec, replace(self.block, names=tuple(names)), self.entries) if spec is not None else []
        others = [name for name in others if spec is not None and self._tells(name, spec)]
        entries = {name: self.entries[name] for name in sorted({*names, *others})}
        with self.store.snapshot() as connection:
            demand = table_of(connection, self.store.place, entries, columns, self.block.unit, span)
        return demand.select(names) if others else demand

    def warnings(self, one: Spoken, issued_at: pd.Timestamp, purpose: str) -> tuple[str, ...]:
        """What whoever reads a forecast in the ledger should know of it."""
        told, cutoff = [], self.block.cutoff
        if purpose == BACKFILL:
            told.append(
                f"said afterwards, at {issued_at:%Y-%m-%dT%H:%MZ}, of a day that had begun: nobody was given it"
            )
        elif issued_at > cutoff:
            told.append(f"issued at {issued_at:%Y-%m-%dT%H:%MZ}, after its gate at {cutoff:%Y-%m-%dT%H:%MZ}")
        if one.ref is not None:
            spec = loaded(one.ref, self.settings).spec
            if spec.learned_until > self.block.inside(cutoff):
                told.append(
                    f"model '{spec.name}' was trained on values up to {spec.trained_until}, after this cutoff: its "
                    "error here is no test of it"
                )
        return tuple(told)


def _has_shadow(question: Question, speakers: Speakers) -> bool:
    return question.purpose == ISSUE and speakers.challenger is not None


def _listening(speakers: Speakers, settings: Settings) -> bool:
    """Whether a version hears series that may stand in other blocks."""
    for ref in (speakers.champion, speakers.previous, speakers.challenger):
        try:
            if ref is not None and loaded(ref, settings).spec.listens:
                return True
        except ForecastError:
            continue
    return False


def _packed(block: Block, one: Spoken, issued_at: pd.Timestamp, purpose: str, teller: _Teller) -> Packed:
    """What is said of one series as the ledger's rows hold it."""
    question, ref = block.question, one.ref
    said = Said.of(
        one.unique_id, block.zone, one.ds_H // SECOND, one.mean_H, one.quantiles_HQ, step_seconds=block.step_seconds,
        rung=one.rung, reason=one.reason,
    )  # fmt: skip
    return Packed(
        question.id(one.unique_id, purpose), (said,), int(block.inside(block.cutoff).value // SECOND),
        int(issued_at.value // SECOND), block.unit, one.levels, ref.name if ref is not None else one.rung,
        ref.version if ref is not None else None, question.day, question.gate,
        teller.warnings(one, issued_at, purpose),
    )  # fmt: skip
