"""`Decision`: who became champion, who did not, and why; and the one place that moves the aliases."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from forecast import clock
from forecast.errors import RegistryError
from forecast.registry.store import Store, open_store
from forecast.registry.versions import ModelVersion
from forecast.settings import Settings

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
TAG = "decision."
"""What the tags begin with that hold a version's decisions; the moment follows."""
Outcome = Literal["promoted", "refused", "undecided", "rolled back"]
Kind = Literal["first", "retraining", "promotion", "rollback"]
SIDES = ("mae", "bias", "coverage_80", "winkler_80", "peak_mae")
CHANGES: tuple[Outcome, ...] = ("promoted", "rolled back")
"""Outcomes after which another version is champion."""


class Decision(BaseModel):
    """One decision on a version, as it is kept.

    Attributes:
        kind: "first" where nothing reigned, "retraining" on walked days, "promotion" on days that came after both
            trainings, "rollback" by hand.
        outcome: "undecided" where more days are needed to tell.
        at: when (UTC, ISO 8601).
        by: who asked.
        version: of whom; `recipe` its name.
        against: the version that was champion; None where there was none.
        reasons: sentences for a person.
        figures: what was weighed: days, gain_percent, ci_low, ci_high, p_value, and so on; what could not be had is
            left out.
        first_day, last_day: of the days that both were judged on.
        evidence: where these came from: "walk", "data" or "ledger".
        look: how often this version was judged on fresh days, this time included.
        data_sha256: of the table that was read.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Kind
    outcome: Outcome
    at: str
    version: str
    by: str = ""
    recipe: str = ""
    against: str | None = None
    reasons: tuple[str, ...] = ()
    figures: dict[str, float] = Field(default_factory=dict)
    first_day: str | None = None
    last_day: str | None = None
    evidence: str = ""
    look: int = 0
    data_sha256: str = ""

    @property
    def tag(self) -> str:
        """The tag of the version that holds it."""
        return f"{TAG}{self.at.replace(':', '')}"

    @property
    def sentence(self) -> str:
        """What happened, in a line."""
        against = f" against version {self.against}" if self.against else ""
        if self.outcome == "rolled back":
            return f"version {self.version} is champion again; version {self.against} gave way"
        return f"version {self.version}{against}: {self.outcome}"


ALARMED = "breach"
"""What the name of a retraining begins with that an alarm asked for."""
GAVE_WAY = "gave way"
"""The verdict on a version that a rollback took the place of."""
LONGEST = 5000
"""Characters of a description that MLflow's column holds."""
WEIGHED = ("gain_percent", "ci_low", "ci_high", "p_value", "dm_statistic", "origins", "dropped_origins")


def figures_of(verdict: object) -> dict[str, float]:
    """What was weighed, out of a `comparison.Verdict`: numbers that could be had, to six digits."""
    found = {name: getattr(verdict, name, None) for name in WEIGHED}
    told = {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}
    for model, row in getattr(verdict, "figures", {}).items():
        side = "champion" if model == getattr(verdict, "champion", None) else "challenger"
        told |= {f"{side}_{name}": float(row[name]) for name in SIDES if math.isfinite(row.get(name, math.nan))}
    return {name: float(f"{value:.6g}") for name, value in told.items()}


def now() -> str:
    """The present moment as decisions write it."""
    return f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"


def decisions_of(versions: Sequence[ModelVersion]) -> list[Decision]:
    """Every decision that the versions' tags hold, newest first; tags that cannot be read are passed over."""
    found: dict[tuple[str, str], Decision] = {}
    for key, value in (pair for one in versions for pair in one.tags.items() if pair[0].startswith(TAG)):
        try:
            read = Decision.model_validate_json(value)
        except ValueError:
            continue
        # A rollback stands with both versions that it is about.
        found[key, read.version] = read
    return sorted(found.values(), key=lambda one: (one.at, int(one.version)), reverse=True)


def resting(decisions: Sequence[Decision], settings: Settings) -> str | None:
    """Why no other version may become champion now, as a sentence; None where one may.

    After a change of champion, by promotion or by rollback, `promotion_cooldown_days` pass before the next promotion.
    """
    changes = [one for one in decisions if one.outcome in CHANGES and one.kind != "first"]
    days = settings.promotion_cooldown_days
    if not changes or not days:
        return None
    last = pd.Timestamp(max(one.at for one in changes))
    free = last + pd.Timedelta(days=days)
    if clock.now() >= free:
        return None
    return (
        f"the champion changed at {last:%Y-%m-%d %H:%M}Z, and for {days:g} days no other takes its place; "
        f"judge again from {free:%Y-%m-%d %H:%M}Z on"
    )


def enact(decision: Decision, settings: Settings, *, store: Store | None = None) -> Decision:
    """Keeps a decision and moves the aliases as it says; nothing else in the product moves `champion`.

    A promoted version becomes `champion` and the one that reigned `previous`; an undecided one becomes, or stays,
    `challenger`; a refused one stays `challenger` after a retraining, so that the days to come can judge it, and loses
    that alias after a promotion's trial. Another version that is on trial against the same champion keeps the alias,
    unless an alarm asked for the retraining: else who is trained every week is never judged on many days. After a
    rollback `previous` is whoever reigned before the version that is champion again, so that going back twice does not
    come back. The decision is kept twice: as a tag of the version, and as `decisions/MOMENT.json` among the artifacts
    of the version's run.

    Args:
        decision: what was decided; a promotion within the cooldown is kept as undecided.
        settings: which store, and the registered model's name.
        store: that is open already.

    Returns:
        the decision that was kept.

    Raises:
        RegistryError: no such version, or the champion is no longer the one that was judged.
    """
    client, name = (store or open_store(settings)).client, settings.model_name
    held = _version(client, name, decision.version)
    found = client.search_model_versions(f"name = '{name}'")
    plain = [ModelVersion(one.name, str(one.version), None, "", (), dict(one.tags)) for one in found]
    before = [one for one in decisions_of(plain) if (one.tag, one.version) != (decision.tag, decision.version)]
    reigning = held.aliases.get(CHAMPION)
    if decision.outcome in CHANGES and reigning not in (decision.against, decision.version):
        raise RegistryError(
            f"version {reigning or 'none'} is champion, and the decision is on version {decision.against or 'none'}",
            "the champion that was judged", "judge again against the one that reigns now",
        )  # fmt: skip
    kept = _rested(decision, before, settings) if decision.outcome == "promoted" and reigning else decision
    rival = _on_trial(kept, before, held.aliases)
    if rival is not None:
        kept = kept.model_copy(
            update={"reasons": (*kept.reasons, f"Version {rival} is on trial and stays challenger.")}
        )
    text = json.dumps(kept.model_dump(mode="json"), ensure_ascii=False)
    # First the record, then the aliases: what was killed in between is repeated and changes nothing twice.
    for number in [kept.version, *([kept.against] if kept.outcome == "rolled back" and kept.against else [])]:
        client.set_model_version_tag(name, number, kept.tag, text)
    client.set_model_version_tag(name, kept.version, "verdict", "promoted" if kept.outcome in CHANGES else kept.outcome)
    client.set_model_version_tag(
        name, kept.version, "verdict_reasons", json.dumps(list(kept.reasons), ensure_ascii=False)
    )
    if held.run_id:
        client.log_dict(held.run_id, kept.model_dump(mode="json"), f"decisions/{kept.at.replace(':', '')}.json")
    _describe(client, name, kept, held.description)
    if kept.outcome == "rolled back" and kept.against:
        client.set_model_version_tag(name, kept.against, "verdict", GAVE_WAY)
        _describe(client, name, kept, _version(client, name, kept.against).description, number=kept.against)
    if kept.outcome == "rolled back":
        _back(client, name, kept, held.aliases, before)
    elif rival is None:
        _move(client, name, kept, held.aliases)
    return kept


def _on_trial(kept: Decision, before: Sequence[Decision], aliases: Mapping[str, str]) -> str | None:
    """The version that stays challenger beside one that was trained anew and did not prove itself on the walk."""
    rival = aliases.get(CHALLENGER)
    if kept.kind != "retraining" or kept.outcome != "refused" or kept.by.startswith(ALARMED):
        return None
    newest = next((one for one in before if one.version == rival), None)
    under_way = newest is not None and rival != kept.version and newest.against == aliases.get(CHAMPION)
    return rival if under_way else None


def _rested(decision: Decision, before: Sequence[Decision], settings: Settings) -> Decision:
    """The decision, undecided where the last change of champion is too young."""
    why = resting(before, settings)
    if why is None:
        return decision
    return decision.model_copy(update={"outcome": "undecided", "reasons": (*decision.reasons, f"refused: {why}.")})


class _Held(BaseModel):
    """What the registry says of a version before it is decided on."""

    run_id: str | None
    description: str
    tags: dict[str, str]
    aliases: dict[str, str]


def _version(client: Any, name: str, number: str) -> _Held:
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_model_version(name, number)
        aliases = {alias: str(held) for alias, held in client.get_registered_model(name).aliases.items()}
    except MlflowException as error:
        raise RegistryError(
            f"no version {number} of model '{name}' ({error.message})", "a registered version", "register it first"
        ) from error
    return _Held(
        run_id=found.run_id or None, description=found.description or "", tags=dict(found.tags), aliases=aliases
    )


def _move(client: Any, name: str, kept: Decision, aliases: Mapping[str, str]) -> None:
    """`previous` before `champion`, so that no moment is without a champion."""
    number, reigning = kept.version, aliases.get(CHAMPION)
    if kept.outcome == "promoted":
        if reigning is not None and reigning != number:
            client.set_registered_model_alias(name, PREVIOUS, reigning)
        elif aliases.get(PREVIOUS) == number:
            client.delete_registered_model_alias(name, PREVIOUS)
        client.set_registered_model_alias(name, CHAMPION, number)
        if aliases.get(CHALLENGER) == number:
            client.delete_registered_model_alias(name, CHALLENGER)
    elif number == reigning:
        return
    elif kept.kind == "promotion" and kept.outcome == "refused":
        if aliases.get(CHALLENGER) == number:
            client.delete_registered_model_alias(name, CHALLENGER)
    elif aliases.get(CHALLENGER) != number:
        client.set_registered_model_alias(name, CHALLENGER, number)


def _back(client: Any, name: str, kept: Decision, aliases: Mapping[str, str], before: Sequence[Decision]) -> None:
    """The previous version reigns again; who reigned before it, by the decisions, is previous now."""
    client.set_registered_model_alias(name, CHAMPION, kept.version)
    earlier = [one.against for one in before if one.version == kept.version and one.outcome == "promoted"]
    if earlier and earlier[0] not in (None, kept.against, kept.version):
        client.set_registered_model_alias(name, PREVIOUS, earlier[0])
    elif PREVIOUS in aliases:
        client.delete_registered_model_alias(name, PREVIOUS)


def _describe(client: Any, name: str, kept: Decision, description: str, number: str | None = None) -> None:
    """The card of a version, of the decided one where None, with the newest decision at its end."""
    card = description.split("\n\n**Verdict")[0]
    told = "\n".join(f"- {reason}" for reason in kept.reasons)
    word = GAVE_WAY if number else kept.outcome if kept.outcome in CHANGES else "not promoted"
    text = f"{card}\n\n**Verdict: {word}** ({kept.at[:10]}{', ' + kept.by if kept.by else ''})\n\n{told}"
    client.update_model_version(name, number or kept.version, text.strip()[:LONGEST])
