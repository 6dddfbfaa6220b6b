"""One model for each group of series, by a setting: who is asked about which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from forecast.issuing.speakers import Speakers
from forecast.settings import Settings
from forecast.store.catalogue import Entry
from forecast.tables.groups import group_of, model_of_group


def grouped(
    entries: Mapping[str, Entry], speakers: Speakers, settings: Settings
) -> list[tuple[dict[str, Entry], Speakers]]:
    """The series by who is asked about them.

    A group whose own model has no champion is told by the usual one, as are series without a group.

    Args:
        entries: the series.
        speakers: the usual versions.
        settings: say by what series are grouped, and name the registry.
    """
    if settings.group_by is None or settings.model is not None:
        return [(dict(entries), speakers)]
    groups: dict[str | None, dict[str, Entry]] = {}
    for name, one in entries.items():
        groups.setdefault(group_of(one.info.zone, one.info.country, one.info.static, settings.group_by), {})[name] = one
    usual, found = groups.pop(None, {}), []
    for group, some in sorted(groups.items(), key=lambda pair: str(pair[0])):
        own = Speakers.find(settings.model_copy(update={"model_name": model_of_group(settings.model_name, str(group))}))
        if own.champion is None:
            note = f"the group {group} has no model of its own to ask: {'; '.join(own.notes)}"
            speakers = replace(speakers, notes=(*speakers.notes, note))
            usual |= some
        else:
            found.append((some, own))
    return [*found, (usual, speakers)] if usual else found
