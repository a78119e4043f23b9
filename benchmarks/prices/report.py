"""The bars of the pricing model: what was measured, as one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

MARGIN, OF_BEST = 0.03, 0.97
DIRECTION, NEAR = 0.99, 0.15
SECONDS, MEMORY = 90.0, 1024.0
TIMES = 3.0
SEEN = "right", "expected"
LEAST_SHOWN = 0.1
"""Seconds of a step that is listed."""


class Line(NamedTuple):
    """``held``: None where there is no bar."""

    what: str
    measured: str
    bar: str = ""
    held: bool | None = None


def lines(found: Mapping[str, Any]) -> list[Line]:
    """Of what ``measure`` found, part by part; parts that were left out are not there."""
    made: list[Line] = []
    if "shops" in found:
        made += _margins(found["shops"])
        made += _responses(found["shops"])
    if "rules" in found:
        made += _rules(found["rules"])
    if "night" in found:
        made += _night(found["night"])
    if "live" in found:
        made += _live(found["live"])
    again = [*found.get("again", ())]
    if again:
        asked, differing = (sum(one[name] for one in again) for name in ("asked", "differing"))
        said = f"{differing} of {asked:,} proposals differ"
        made.append(Line("batch = online without signals", said, "0", differing == 0))
    return made


def table(made: Sequence[Line]) -> str:
    """In Markdown."""
    rows = [
        f"| {one.what} | {one.measured} | {one.bar}{'' if one.held is None else _MARKS[one.held]} |"
        for one in made
    ]
    return "\n".join(["| what | measured | bar |", "|---|---|---|", *rows])


_MARKS = {True: "", False: ": **not kept**"}


def _margins(shops: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    seeds = _listed("{}", [one["seed"] for one in shops])
    for name in shops[0]["margins"]:
        each = [one["margins"][name] for one in shops]
        gained, best = (
            [one["margin"][key] / one["margin"]["kept"] - 1 for one in each]
            for key in ("published", "best")
        )
        changed = [100 * one["changed"] for one in each]
        yield Line(
            f"margin over keeping prices, {name} (seeds {seeds})",
            f"{_percent(gained)}; the best prices {_percent(best)}; expected by the night "
            f"{_percent([one['expected_over_kept'] for one in each])}; "
            f"{_listed('{:.0f}', changed)} % of {each[0]['prices']} prices changed",
            f"≥ +{100 * MARGIN:.0f} %",
            min(gained) >= MARGIN,
        )
        of_gain = {
            key: _listed("{:.1f}", [100 * one["of_gain"][key] for one in each])
            for key in ("published", "true responses", "true levels")
        }
        yield Line(
            f"of the margin of the best prices, {name}",
            f"{_listed('{:.2f}', [100 * one['of_best'] for one in each])} %; of what these gain "
            f"{of_gain['published']} % (with true responses {of_gain['true responses']}, with "
            f"true levels of demand {of_gain['true levels']})",
            f"≥ {100 * OF_BEST:.0f} %",
            min(one["of_best"] for one in each) >= OF_BEST,
        )


def _listed(form: str, values: Sequence[Any]) -> str:
    return ", ".join(form.format(value) for value in values)


def _percent(values: Sequence[float]) -> str:
    return _listed("{:+.1f}", [100 * value for value in values]) + " %"


def _responses(shops: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    held_out = [one["elasticity"]["held_out"] for one in shops]
    changes = [one["changes"] + one["refused_changes"] for one in held_out]
    # What is answered is never above 0, and planted demand never rises with the price.
    right = sum(one["changes"] for one in held_out) / max(sum(changes), 1)
    seen = [one["direction"] for one in held_out if one["changes"]]
    decisive = sum(one["decisive"] for one in seen)
    followed = sum(one["decisive"] * (one["right_of_decisive"] or 0) for one in seen)
    shares = [_listed("{:.0f}", [100 * one[name] for one in seen]) for name in SEEN]
    yield Line(
        "demand goes the planted way at price changes held out",
        f"{100 * right:.1f} % of {sum(changes):,}; what was seen went that way at {shares[0]} % "
        f"(by chance, were all as said: {shares[1]}), at {100 * followed / max(decisive, 1):.0f} % "
        f"of {decisive} decisive ones",
        f"≥ {100 * DIRECTION:.0f} %",
        right >= DIRECTION,
    )
    beside = [one["elasticity"]["oracle"] for one in shops]
    known = [one for one in beside if one["items"]]
    off = [one["ours"] / one["oracle"] - 1 for one in known]
    if off:
        yield Line(
            "median elasticity beside a regression's",
            _listed("{0[ours]:.2f} and {0[oracle]:.2f}", known) + f": {_percent(off)}",
            f"± {100 * NEAR:.0f} %",
            max(map(abs, off)) <= NEAR,
        )


def _rules(rules: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(
        "rules broken by random shops under random rules",
        f"{rules['broken']} in {rules['cases']:,} ({rules['prices']:,} prices, "
        f"{rules['changed']:,} changed); rules misnamed: {rules['misnamed']}, "
        f"{rules['infeasible']:,} prices had no point left and name two rules",
        "0",
        not (rules["broken"] or rules["misnamed"]),
    )


def _night(night: Mapping[str, Any]) -> Iterator[Line]:
    steps = "; ".join(
        f"{name.replace('_', ' ')} {wall:.1f}"
        for name, (_, wall) in night["steps"].items()
        if wall >= LEAST_SHOWN
    )
    yield Line(
        f"a night of {night['prices']:,} prices × {night['points']:.0f} points",
        f"{night['seconds']:.1f} s ({steps}); {night['changed']:,} changed",
        f"≤ {SECONDS:.0f} s",
        night["seconds"] <= SECONDS,
    )
    yield Line(
        "its memory at most",
        f"{night['peak_mb']:.0f} MiB",
        f"≤ {MEMORY:.0f} MiB",
        night["peak_mb"] <= MEMORY,
    )


def _live(live: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    for kind in live[0]["times"]:
        times = [one["times"][kind] for one in live]
        prices, forecast = (
            _listed("{:.2f}", [one["p50_ms"][kind][model] for one in live])
            for model in ("pricing", "sales_forecast")
        )
        yield Line(
            f"a price, {kind}, over one connection: p50 beside the forecast's",
            f"{prices} ms and {forecast} ms: {_listed('{:.2f}', times)} ×",
            f"≤ {TIMES:.0f} ×",
            max(times) <= TIMES,
        )
