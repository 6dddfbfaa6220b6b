"""What covariates say about each step ahead: their memory, their extremes, and bends where demand turns."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from forecast.features.load import Block, Past, extremes, flat, last_axis, mean

MEMORY_HOURS = (6, 24, 48, 72)
ABOVE = " above "


def known_ahead(
    past: Past, name: str, plane: int, knots: tuple[float, ...], *, binary: bool, bend_all: bool
) -> list[Block]:
    """Columns of a covariate that is known over the horizon.

    Args:
        past: the batch.
        name: the covariate.
        plane: its place among the demand's columns.
        knots: where its hinges bend, in its own unit; empty for none.
        binary: a flag: only itself, yesterday's and last week's are shown.
        bend_all: hinges of every column, or of the main ones: now, a day's and three days' mean, the day before.
    """
    if binary:
        return [_days(past, plane, name)]
    before, after, days = (1, 2, 3, 6, 12), (1, 3), (1, 2, 7)
    shifts = (0, *[-back * past.hour for back in before], *[lead * past.hour for lead in after])
    value_BHK, known_BHK = past.shifted(plane, (*shifts, *[-back * past.per_day for back in days]))
    beside = (name, *[f"{name}, {back} h before" for back in before], *[f"{name}, {lead} h after" for lead in after])
    memory = _running_means(past, name, plane)
    now = Block(beside, value_BHK[:, :, : len(shifts)], known_BHK[:, :, : len(shifts)])
    earlier = tuple(f"{name}, {back} days before" for back in days)
    same_hour = Block(earlier, value_BHK[:, :, len(shifts) :], known_BHK[:, :, len(shifts) :])
    shown = [now, memory, same_hour, _day_extremes(past, name, plane), _over_horizon(past, name, plane)]
    main = [(now, 0), (memory, 1), (memory, 3), (same_hour, 0)]
    every = [(block, place) for block in shown for place in range(len(block.names))]
    return [*shown, _hinges(every if bend_all else main, knots, past)]


def like_demand(past: Past, name: str, plane: int) -> list[Block]:
    """Columns of a known-ahead covariate in the demand's own unit, such as somebody else's forecast of it.

    Their names begin as the demand's do, so they are scaled with it.
    """
    beside = past.shifted(plane, (-past.hour, past.hour))
    names = (f"y, {name}, an hour before", f"y, {name}, an hour after")
    ahead = slice(past.reach, past.reach + min(past.horizon, past.per_day))
    told = mean(past.batch.values_BWC[:, ahead, plane], past.batch.mask_BWC[:, ahead, plane])
    level = flat(f"y, {name}", [("mean of the first day ahead", told)])
    return [_days(past, plane, f"y, {name}"), Block(names, *beside), level]


def _days(past: Past, plane: int, name: str) -> Block:
    """A covariate now, a day back and a week back."""
    names = (name, f"{name}, 1 days back", f"{name}, 7 days back")
    return Block(names, *past.shifted(plane, (0, -past.per_day, -7 * past.per_day)))


def past_only(past: Past, name: str, plane: int, knots: tuple[float, ...]) -> list[Block]:
    """Columns of a covariate that is known up to the cutoff: same hour of the last days, last value, recent means.

    Hinges bend its last known day: the same hour, the newest hour, the mean and the highest value.
    """
    back = np.array([0, 1, 6])[:, None, None]
    value_KBH, known_KBH = past.take(past.days_back(past.nearest_day() + back), plane)
    names = tuple(f"{name}, same hour, {rank + 1}. day back" for rank in back.ravel())
    same_hour = Block(names, last_axis(value_KBH), last_axis(known_KBH))
    value_BL, mask_BL = past.newest(7 * past.per_day, plane)
    columns = []
    for hours in (1, 6, 24, 168):
        rows = max(1, past.per_day * hours // 24)
        columns.append((f"mean of the last {hours} h", mean(value_BL[:, -rows:], mask_BL[:, -rows:])))
        columns += extremes(value_BL[:, -rows:], mask_BL[:, -rows:]) if hours == 24 else []
    newest = flat(name, columns)
    if not knots:
        return [same_hour, newest]
    main = [f"{name}, {what}" for what in ("mean of the last 1 h", "mean of the last 24 h", "highest of the last day")]
    bent = [(same_hour, 0), *[(newest, newest.names.index(one)) for one in main]]
    return [same_hour, newest, _hinges(bent, knots, past)]


def _hinges(bent: list[tuple[Block, int]], knots: tuple[float, ...], past: Past) -> Block:
    """What some columns, each named by its block and its place there, have above each knot."""
    names = tuple(f"{block.names[place]}{ABOVE}{knot:.12g}" for block, place in bent for knot in knots)
    shape = (len(past.batch.values_BWC), past.horizon)
    value_KBH = np.stack([np.broadcast_to(block.value_BHK[:, :, place], shape) for block, place in bent])
    known_KBH = np.stack([np.broadcast_to(block.known_BHK[:, :, place], shape) for block, place in bent])
    value_KBH, known_KBH = np.repeat(value_KBH, len(knots), axis=0), np.repeat(known_KBH, len(knots), axis=0)
    knot_K11 = np.tile(np.array(knots, dtype=np.float32), len(bent))[:, None, None]
    above_KBH = np.where(known_KBH, np.maximum(value_KBH - knot_K11, np.float32(0)), np.float32(0))
    return Block(names, last_axis(above_KBH), last_axis(known_KBH))


def measured_in(names: tuple[str, ...]) -> tuple[int, ...]:
    """For each column the place of the column whose deviation it is measured in: a hinge's straight one, else itself.

    A hinge that is seldom active deviates so little that its own deviation as a unit would make every hot day a value
    beyond the clip, and the hottest day no more than a hot one.

    >>> measured_in(("hour", "t", "t above 18", "t above 30"))
    (0, 1, 1, 1)
    """
    places = {name: place for place, name in enumerate(names)}
    return tuple(places.get(name.rpartition(ABOVE)[0], place) for place, name in enumerate(names))


def _running_means(past: Past, name: str, plane: int) -> Block:
    """Means of the known values of the last hours up to each step ahead."""
    lengths = [min(hours * past.hour, past.reach) for hours in MEMORY_HOURS]
    longest, steps = max(lengths), past.horizon
    begin = past.reach - longest + 1
    summed_BL, counted_BL = (
        np.pad(np.cumsum(part_BWC[:, begin:, plane], axis=1, dtype=np.float64), ((0, 0), (1, 0)))
        for part_BWC in (past.batch.values_BWC, past.batch.mask_BWC)
    )
    columns = []
    for rows in lengths:
        high, low = slice(longest, longest + steps), slice(longest - rows, longest - rows + steps)
        total_BH, count_BH = (part_BL[:, high] - part_BL[:, low] for part_BL in (summed_BL, counted_BL))
        columns.append((total_BH / np.maximum(count_BH, 1), count_BH > 0))
    known_BHK = np.stack([known_BH for _, known_BH in columns], axis=2)
    value_BHK = np.stack([value_BH for value_BH, _ in columns], axis=2)
    names = tuple(f"{name}, mean of {hours} h" for hours in MEMORY_HOURS)
    return Block(names, np.where(known_BHK, value_BHK, 0).astype(np.float32), known_BHK)


def _day_extremes(past: Past, name: str, plane: int) -> Block:
    """Lowest and highest known value of the 24 hours up to each step ahead."""
    rows, ahead = past.per_day, slice(past.reach - past.per_day + 1, past.reach + past.horizon)
    value_BT, known_BT = past.batch.values_BWC[:, ahead, plane], past.batch.mask_BWC[:, ahead, plane]
    known_BH = sliding_window_view(known_BT, rows, axis=1).any(2)
    low_BH, high_BH = (
        np.where(known_BH, extreme(sliding_window_view(np.where(known_BT, value_BT, fill), rows, axis=1), axis=2), 0)
        for extreme, fill in ((np.min, np.inf), (np.max, -np.inf))
    )
    names = (f"{name}, lowest of 24 h", f"{name}, highest of 24 h")
    return Block(names, np.stack([low_BH, high_BH], axis=2).astype(np.float32), np.stack([known_BH, known_BH], axis=2))


def _over_horizon(past: Past, name: str, plane: int) -> Block:
    """Mean, lowest and highest over the first day ahead, the same at every step."""
    ahead = slice(past.reach, past.reach + min(past.horizon, past.per_day))
    value_BL, mask_BL = past.batch.values_BWC[:, ahead, plane], past.batch.mask_BWC[:, ahead, plane]
    stretch = "the first day ahead"
    return flat(name, [(f"mean of {stretch}", mean(value_BL, mask_BL)), *extremes(value_BL, mask_BL, stretch)])
