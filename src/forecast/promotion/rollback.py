"""`rollback`: the version that reigned before is champion again, and it stands written who said so and why."""

from __future__ import annotations

from forecast.errors import RegistryError
from forecast.registry import reader
from forecast.registry.decided import log_decision
from forecast.registry.decisions import CHAMPION, PREVIOUS, Decision, enact, now
from forecast.settings import Settings


def rollback(settings: Settings, *, by: str, why: str) -> tuple[Decision, dict[str, str]]:
    """Makes `previous` the champion again; a promotion waits for the cooldown afterwards.

    Args:
        settings: which registry and registered model.
        by: who decides.
        why: the reason, for those who read it later.

    Returns:
        the decision as it was kept, and its pages in MLflow.

    Raises:
        RegistryError: nothing reigned before, no reason is given, or the registry does not answer.
    """
    if not why.strip() or not by.strip():
        raise RegistryError("a rollback without a reason or without a name", "both", "say why, and who you are")
    aliases = {alias: one for one in reader.versions(settings) for alias in one.aliases}
    if PREVIOUS not in aliases or CHAMPION not in aliases:
        raise RegistryError(
            f"model '{settings.model_name}' has no previous version to go back to", "a version that reigned before",
            "`forecast decisions` lists who reigned when",
        )  # fmt: skip
    back, reigning = aliases[PREVIOUS], aliases[CHAMPION]
    decision = Decision(
        kind="rollback", outcome="rolled back", at=now(), by=by.strip(), version=back.version,
        recipe=back.tags.get("recipe", ""), against=reigning.version, reasons=(why.strip(),),
    )  # fmt: skip
    kept = enact(decision, settings)
    return kept, log_decision(kept, settings)
