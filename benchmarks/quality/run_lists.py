"""All lists of one data set: every window, the same users and baskets; what it gives is JSON."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality import peers
from benchmarks.quality.our_lists import MODEL, OURS, our_lists
from benchmarks.quality.past import SIMPLE, Asked, Floats, Ints, Past, lists_of, ndcg
from benchmarks.quality.run import product
from benchmarks.quality.sets import ListsSet, prepared
from benchmarks.quality.warehouse import Settings, Warehouse, warehouse
from daybreak.facts.events import PURCHASE, UNKNOWN_USER, Events
from daybreak.facts.interactions import read_events
from daybreak.models.base import Progress
from daybreak.models.recommendations.learn.train import SEED
from daybreak.warehouse.engine import connect

DAYS = 730
WINDOW = 7
ON_SALE = 90
MOST_SEEN = 20
MOST_BASKETS = 500
EPOCH = date(1970, 1, 1)
POPULARITY = "popularity_"
"""How the names of popularity over a span of days begin."""
GROUPS = {"none": (0, 0), "1 day": (1, 1), "2-5 days": (2, 5), "more": (6, 10**9)}
"""By on how many days a user had bought before."""


def measure_lists(
    of: ListsSet,
    server: Settings,
    data: Path,
    cache: Path,
    progress: Progress,
    *,
    methods: Sequence[str] | None = None,
    most: int | None = None,
    seed: int = SEED,
) -> dict[str, Any]:
    """``methods``: of others, only these. ``most``: the last windows only."""
    dataset = prepared(of, data, cache)
    windows = []
    with warehouse(server, dataset, progress) as facts:
        count = min(of.windows, most or of.windows)
        for back in range(count - 1, -1, -1):
            day = facts.last - timedelta(days=WINDOW + of.apart * back)
            progress(f"{of.name}, window after {day}")
            windows.append(_window(of, facts, day, cache, progress, methods=methods, seed=seed))
    return {"kind": "lists", "windows": windows}


def _window(
    of: ListsSet,
    facts: Warehouse,
    day: date,
    cache: Path,
    progress: Progress,
    *,
    methods: Sequence[str] | None,
    seed: int,
) -> dict[str, Any]:
    with connect(facts.engine) as conn:
        as_of = facts.as_of(conn, MODEL, day)
        later = read_events(conn, facts.as_of(conn, MODEL, facts.last), days=DAYS)
        past = past_of(later, day)
        asked, groups = questions(later, past, of.users)
        names = later.user_ids, later.item_ids
        file, about_file = _kept(cache, past, asked)
        key = peers.key(file.stem, of.name, str(seed), product("our_lists.py"))
        ours = cache / "ours" / f"{key}.npz"
        ours.parent.mkdir(parents=True, exist_ok=True)
        if not ours.exists():
            found, about = our_lists(conn, as_of, asked, *names, seed=seed)
            flat = {f"{v}|{q}": of_q for v, of_v in found.items() for q, of_q in of_v.items()}
            _save(ours, about, flat)
    measured: dict[str, Any] = {}
    flat, about = _load(ours)
    of_ours: dict[str, dict[str, Floats]] = {}
    for version in dict.fromkeys(name.split("|")[0] for name in flat):
        lists = {q: flat[f"{version}|{q}"] for q in asked}
        of_ours[version] = _values(asked, groups, lists)
        measured[version] = {"ndcg": _sums(of_ours[version]), "about": about}
    had = past.matrix()
    for name, learn in SIMPLE.items():
        if methods is None or name in methods:
            started = time.perf_counter()
            scores = learn(past)
            lists = {q: lists_of(past, one, scores, had) for q, one in asked.items()}
            took = {"seconds": time.perf_counter() - started}
            found = _values(asked, groups, lists)
            measured[name] = {"ndcg": _sums(found), "about": took}
            if name.startswith(POPULARITY):
                measured[name]["behind"] = behind(of_ours[OURS], found)
    key = peers.key(
        file.stem, peers.code("lists"), Path(__file__).with_name("past.py").read_bytes()
    )
    jobs = [
        {
            "known": str(file),
            "asked": str(about_file),
            "method": name,
            "out": str(file.parent / f"{key}.{name}.npz"),
        }
        for name in peers.LISTS
        if methods is None or name in methods
    ]
    peers.run("lists", jobs, cache, progress)
    for job in jobs:
        if Path(job["out"]).exists():
            lists, about = _load(Path(job["out"]))
            found = _values(asked, groups, lists)
            measured[job["method"]] = {"ndcg": _sums(found), "about": about}
    return {
        "as_of": day.isoformat(),
        "users": {reading: len(asked[reading]) for reading in ("all", "new")},
        "baskets": len(asked["session: user + session"]),
        "methods": measured,
    }


def past_of(later: Events, day: date) -> Past:
    """Purchases up to a day; users and items keep their numbers in ``later``."""
    today = (day - EPOCH).days
    kept = (later.weight >= PURCHASE) & (later.day <= today)
    user, item, at, basket = (
        column[kept].astype(np.int64)
        for column in (later.user, later.item, later.day, later.basket)
    )
    on_sale = np.zeros(len(later.item_ids), bool)
    on_sale[item[at > today - ON_SALE]] = True
    user = np.where(user == UNKNOWN_USER, -1, user)
    # An unknown buyer without a basket may be anybody: each day one.
    basket = np.where((basket == 0) & (user < 0), at, basket)
    return Past(user, item, at, basket, len(later.user_ids), len(later.item_ids), today, on_sale)


def questions(
    later: Events, past: Past, users: int
) -> tuple[dict[str, Asked], dict[str, list[str]]]:
    """What is asked for the week after ``past``, and the group of each user of the readings."""
    inside = (later.day > past.today) & (later.day <= past.today + WINDOW)
    inside &= (later.weight >= PURCHASE) & (later.user != UNKNOWN_USER)
    user, item, day, basket = (
        column[inside].astype(np.int64)
        for column in (later.user, later.item, later.day, later.basket)
    )
    rng = np.random.default_rng([11, past.today])
    had = past.matrix()
    visits = np.unique(np.stack([past.user, past.day]), axis=1)[0]
    days = np.bincount(visits[visits >= 0], minlength=past.users)
    chosen = np.sort(rng.permutation(np.unique(user))[:users])
    asked, groups = {}, {}
    for reading in ("all", "new"):
        wanted = {int(u): np.unique(item[user == u]) for u in chosen}
        if reading == "new":
            wanted = {u: np.setdiff1d(items, had[u].indices) for u, items in wanted.items()}
        kept = {u: items for u, items in wanted.items() if len(items)}
        nothing = [np.empty(0, np.int64)] * len(kept)
        asked[reading] = Asked(
            _known(list(kept), days), nothing, list(kept.values()), reading == "new"
        )
        groups[reading] = [_group(int(days[u])) for u in kept]
    name = np.where(basket == 0, day, basket)
    cut = np.unique(np.stack([user, name]), axis=1)
    sessions: list[tuple[int, Ints, Ints]] = []
    for place in rng.permutation(cut.shape[1]):
        whose, basket_of = cut[:, place]
        if not days[whose]:
            continue
        items = rng.permutation(np.unique(item[(user == whose) & (name == basket_of)]))
        if len(items) > 1:
            seen = int(rng.integers(1, min(MOST_SEEN, len(items) - 1) + 1))
            sessions.append((int(whose), np.sort(items[:seen]), np.sort(items[seen:])))
        if len(sessions) == MOST_BASKETS:
            break
    whose = np.array([one[0] for one in sessions], np.int64)
    seen_of, rest = [one[1] for one in sessions], [one[2] for one in sessions]
    nothing = [np.empty(0, np.int64)] * len(sessions)
    nobody = np.full(len(sessions), -1)
    asked["session: user + session"] = Asked(whose, seen_of, rest)
    asked["session: stranger + session"] = Asked(nobody, seen_of, rest)
    asked["session: user alone"] = Asked(whose, nothing, rest)
    return asked, groups


def _known(users: Sequence[int], days: Ints) -> Ints:
    return np.array([user if days[user] else -1 for user in users], np.int64)


def _group(days: int) -> str:
    return next(name for name, (least, most) in GROUPS.items() if least <= days <= most)


def _values(
    asked: dict[str, Asked], groups: dict[str, list[str]], lists: dict[str, Ints]
) -> dict[str, Floats]:
    """Question, and reading by history, to the NDCG@10 of each list."""
    found: dict[str, Floats] = {}
    for name, of in asked.items():
        found[name] = ndcg(lists[name], of.wanted) if len(of) else np.empty(0)
        if name in groups:
            of_group = np.array(groups[name])
            for group in GROUPS:
                found[f"{name}: {group}"] = found[name][of_group == group]
    return found


def _sums(values: dict[str, Floats]) -> dict[str, list[float]]:
    """Question to [sum of NDCG@10, how many]."""
    return {name: [float(one.sum()), len(one)] for name, one in values.items()}


def behind(ours: dict[str, Floats], other: dict[str, Floats]) -> dict[str, list[float]]:
    """Question to the sums of how far ours are below another's lists, list by list, and of its
    square."""
    less = {name: other[name] - ours[name] for name in ours}
    return {name: [float(one.sum()), float(np.square(one).sum())] for name, one in less.items()}


def _kept(cache: Path, past: Past, asked: dict[str, Asked]) -> tuple[Path, Path]:
    """The files that other methods read, by their content."""
    folder = (cache / "lists").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    for name, of in asked.items():
        sizes = [len(items) for items in of.session]
        arrays |= {
            f"{name}.user": of.user,
            f"{name}.session": np.concatenate([*of.session, np.empty(0, np.int64)]),
            f"{name}.cuts": np.cumsum(sizes)[:-1].astype(np.int64),
            f"{name}.new": np.array(of.new),
        }
    digest = hashlib.sha256()
    for values in (*vars(past).values(), *arrays.values()):
        digest.update(np.ascontiguousarray(values).tobytes())
    file = folder / f"{digest.hexdigest()[:16]}.npz"
    about = file.with_suffix(".asked.npz")
    if not about.exists():
        past.write(file)
        np.savez(about, **arrays)
    return file, about


def _save(file: Path, about: dict[str, Any], arrays: dict[str, Ints]) -> None:
    part = file.with_suffix(".part.npz")
    np.savez(part, about=json.dumps(about), **arrays)
    part.rename(file)


def _load(file: Path) -> tuple[dict[str, Ints], dict[str, Any]]:
    with np.load(file) as kept:
        about = json.loads(str(kept["about"]))
        return {name: kept[name] for name in kept.files if name != "about"}, about
