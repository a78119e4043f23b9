"""Fraud is learned about as well as the truth of the payments allows, and chance is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from sqlalchemy import Engine, select, text

from anybody import Anybody
from daybreak.clock import AsOf
from daybreak.errors import InvalidRequest, NoData
from daybreak.jobs.promoting import promote
from daybreak.jobs.registering import register_trained
from daybreak.jobs.run import score_day
from daybreak.models.fraud.layout import Layout
from daybreak.models.fraud.learn.examples import Examples, read_examples
from daybreak.models.fraud.learn.gate import judge
from daybreak.models.fraud.learn.learning import LEARNING
from daybreak.models.fraud.learn.lineage import grown_of
from daybreak.models.fraud.learn.measures import auc, average_precision
from daybreak.models.fraud.learn.train import Trees, grow, trained
from daybreak.models.fraud.model import MODEL
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.settings import Settings
from daybreak.signals.batch import EPOCH
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.synthetic.payments import KINDS, PaymentOptions, Payments
from daybreak.warehouse.engine import connect, make_engine
from daybreak.warehouse.tables import event, proof

END = date(2026, 6, 30)
AS_OF = AsOf(END, datetime(2026, 7, 1, 2, tzinfo=UTC))
FAST = Trees(depth=4, eta=0.2, rounds=40, patience=10)


@pytest.fixture(scope="module")
def payments(postgres: Any) -> Iterator[Engine]:
    """The data set ``payments``: 2,000 cards, 122 days, some 300,000 payments."""
    with postgres.database("warehouse_template") as name:
        engine = make_engine(postgres.url(name))
        load_dataset(engine, load_spec("payments"), now=AS_OF.cutoff)
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def examples(payments: Engine) -> Examples:
    with connect(payments) as conn:
        return read_examples(conn, AS_OF)


@pytest.fixture(scope="module")
def third(examples: Examples) -> Examples:
    """Every third: the tests that need no more take their time by the number of them."""
    return examples.where(np.arange(len(examples.day)) % 3 == 0)


def test_examples_are_of_days_whose_frauds_are_known(examples: Examples) -> None:
    last = EPOCH + timedelta(days=int(examples.day.max()))
    delay = (END - last).days
    assert 7 <= delay <= 14  # 95 % of the labels are known 4 days x e^(0.6 x 1.64) later
    assert all(one.window.delay.days == delay for one in examples.layout.signals if
               one.measure == "fraud_share")  # fmt: skip
    truth = Payments(PaymentOptions())
    recent = examples.where(examples.day >= examples.day.max() - 20)
    frauds = {
        name
        for day in np.unique(recent.day)
        for name, fraud in zip(*_truth(truth, int(day)), strict=True)
        if fraud
    }
    known = set(recent.transactions.event_id[recent.fraud])
    assert known <= frauds
    assert len(known) > 0.9 * len(frauds)


def _truth(payments: Payments, day: int) -> tuple[list[str], np.ndarray]:
    ids, _, _, fraud = payments.chances(EPOCH + timedelta(days=day))
    return ids, fraud


def test_the_order_is_nearly_that_of_the_truth(examples: Examples) -> None:
    """On days that it has not seen; and each kind of fraud is found more often than by chance."""
    days = np.unique(examples.day)
    first = days[int(len(days) * 0.8)]
    learned, later = examples.where(examples.day < first), examples.where(examples.day >= first)
    truth = Payments(PaymentOptions())
    chance: dict[str, float] = {}
    kind: dict[str, int] = {}
    for day in np.unique(later.day):
        ids, chances, kinds, _ = truth.chances(EPOCH + timedelta(days=int(day)))
        chance |= dict(zip(ids, chances.tolist(), strict=True))
        kind |= dict(zip(ids, kinds.tolist(), strict=True))
    best = np.array([chance[one] for one in later.transactions.event_id])
    of_kind = np.array([kind[one] for one in later.transactions.event_id])

    found = grow(learned).probabilities(later)

    assert auc(found, later.fraud) > auc(best, later.fraud) - 0.03
    assert average_precision(found, later.fraud) > average_precision(best, later.fraud) - 0.03
    queue = found >= np.sort(found)[-len(found) // 50]
    for number, name in enumerate(KINDS[1:], start=1):
        frauds = later.fraud & (of_kind == number)
        assert frauds.sum() > 20, name
        assert queue[frauds].mean() > 5 * queue.mean(), name


def test_each_kind_is_in_the_queue_more_often_than_by_chance(
    payments: Engine, examples: Examples, tmp_path: Path
) -> None:
    """Of days that the version has not seen, by nights that put a hundred cards into the queue."""
    nights = [END - timedelta(days=back) for back in range(14, 9, -1)]
    settings = Settings(
        home=tmp_path,
        warehouse_url=payments.url.render_as_string(hide_password=False),
        dataset="payments",
        keep_events_days=10_000,
    )
    runtime = Runtime(settings, clock=lambda: AS_OF.cutoff)
    learned = examples.where(examples.day < (nights[0] - EPOCH).days)
    made = trained(learned, nights[0] - timedelta(days=1), trees=FAST)
    version = register_trained(runtime, "fraud", made)
    promote("fraud", version, "a test", actor="test", runtime=runtime)
    later = Runtime(settings, clock=lambda: AS_OF.cutoff + timedelta(hours=1))
    for night in nights:
        score_day("fraud", night, "latest", runtime=later)

    with connect(payments) as conn:
        query = text("SELECT business_date, key FROM report.fraud_queue")
        queued = {(row.business_date, row.key) for row in conn.execute(query)}
        query = select(event.c.business_date, event.c.key_1, event.c.event_id).where(
            event.c.business_date.in_(nights)
        )
        paid = conn.execute(query).all()
    truth, kind = Payments(PaymentOptions()), {}
    for night in nights:
        ids, _, kinds, _ = truth.chances(night)
        kind |= dict(zip(ids, kinds.tolist(), strict=True))
    found = np.array([(row.business_date, row.key_1) in queued for row in paid])
    of_kind = np.array([kind[row.event_id] for row in paid])
    for number, name in enumerate(KINDS[1:], start=1):
        frauds = of_kind == number
        by_chance = binomtest(
            int(found[frauds].sum()), int(frauds.sum()), found.mean(), alternative="greater"
        )
        assert by_chance.pvalue < 0.001, (name, found[frauds].mean(), found.mean())
    for engine in (runtime.engine, later.engine):
        engine.dispose()


def test_the_gate_lets_in_what_beats_the_simple_ways(third: Examples) -> None:
    verdict = judge(third, AS_OF, version="v", trees=FAST)

    assert verdict.passed, verdict.reason
    assert verdict.headline is not None
    assert verdict.headline.value > verdict.headline.baseline_value
    assert set(verdict.evidence["baselines"]) == {"amount", "key_risk", "logistic"}


def test_the_gate_refuses_what_learned_from_shuffled_labels(third: Examples) -> None:
    shuffled = np.random.default_rng(1).permutation(third.fraud)
    wrong = _called(third, shuffled)

    verdict = judge(wrong, AS_OF, trees=FAST)

    assert not verdict.passed
    assert "is not above that of" in verdict.reason


def _labelled(examples: Examples, days: np.ndarray) -> Examples:
    """Frauds are known of these days only."""
    fraud = examples.fraud & days
    return _called(examples, fraud)


def _called(examples: Examples, fraud: np.ndarray) -> Examples:
    transactions = replace(examples.transactions, fraud=fraud)
    return replace(examples, rows=replace(examples.rows, transactions=transactions))


def test_weeks_without_labels_are_no_part_of_their_own(third: Examples) -> None:
    last = int(third.day.max())
    gap = _labelled(third, (third.day < last - 50) | (third.day > last - 24))

    verdict = judge(gap, AS_OF, trees=FAST)

    assert verdict.passed, verdict.reason
    assert grow(gap, FAST).rounds > 1


def test_too_few_days_with_frauds_are_said(examples: Examples) -> None:
    last = int(examples.day.max())
    two = _labelled(examples, (examples.day == last) | (examples.day == last - 60))
    with pytest.raises(NoData, match="are known of 2 days"):
        trained(two, END, trees=FAST)
    early = _labelled(examples, examples.day == last - 60)
    assert "only 0 frauds are known" in judge(early, AS_OF, trees=FAST).reason
    late = _labelled(examples, (examples.day > last - 10) | (examples.day == last - 60))
    assert "are known of 1 days" in judge(late, AS_OF, trees=FAST).reason


def test_the_same_payments_give_the_same_version(third: Examples) -> None:
    some = third.where(third.day >= third.day.max() - 40)
    first, again = (trained(some, END, trees=FAST) for _ in range(2))
    assert first == again
    artifact = Artifact("fraud", "v", first.trees, first.manifest, first.files)
    assert Layout.from_manifest(artifact.manifest) == third.layout
    found = grown_of(artifact)
    margins = found.margins(some)
    direct = grow(some, FAST).margins(some)
    np.testing.assert_array_equal(margins.view(np.uint32), direct.view(np.uint32))


def test_a_champion_is_compared_on_days_after_its_own(third: Examples) -> None:
    last = int(third.day.max())
    early = third.where(third.day <= last - 20)
    champion = ("c", grow(early, FAST), EPOCH + timedelta(days=last - 20))

    verdict = judge(third, AS_OF, champion, trees=FAST)

    compared = verdict.evidence["champion"]
    assert compared["compared"]
    assert compared["since"] == (EPOCH + timedelta(days=last - 19)).isoformat()
    seen = ("c", champion[1], EPOCH + timedelta(days=last))
    assert not judge(third, AS_OF, seen, trees=FAST).evidence["champion"]["compared"]


def test_thresholds_follow_costs_and_budgets(third: Examples) -> None:
    some = third.where(third.day >= third.day.max() - 40)

    def thresholds(**options: float) -> dict[str, float]:
        found: dict[str, float] = trained(some, END, options, trees=FAST).manifest["thresholds"]
        return found

    usual, dear = thresholds(), thresholds(review_cost=10)
    assert dear["review"] == pytest.approx(2 * usual["review"])
    assert dear["block"] == usual["block"]
    few = thresholds(alerts_per_day=5)
    assert few["review"] > usual["review"]
    with pytest.raises(InvalidRequest, match="alerts"):
        thresholds(alerts=5)


def test_too_little_to_learn_from_is_said(payments: Engine, warehouse: Engine) -> None:
    early = AsOf(date(2026, 3, 20), datetime(2026, 3, 21, 2, tzinfo=UTC))
    with connect(payments) as conn, pytest.raises(NoData, match="learned from 14 or more"):
        LEARNING.train(conn, early)
    with connect(warehouse) as conn, pytest.raises(NoData, match="No fraud is known"):
        LEARNING.train(conn, AS_OF)


def test_a_data_set_of_another_shape_needs_its_file_alone(
    warehouse: Engine, tmp_path: Path
) -> None:
    """Log-ins: one key more, no amount, no labels for some weeks. Learned, decided about over HTTP,
    scored and proven by night."""
    rng = np.random.default_rng(3)
    begin, rows, labels = datetime(2026, 3, 1, tzinfo=UTC), [], []
    for number in range(12_000):
        at = begin + timedelta(days=int(rng.integers(60)), seconds=int(rng.integers(86_400)))
        stolen = rng.random() < 0.04
        account = rng.integers(400)
        device = f"new{number // 400}" if stolen else f"d{account}"
        rows.append(f"{number},{at.isoformat()},a{account},{device},{rng.integers(90)},{stolen:d}")
        if stolen and not 20 <= (at - begin).days < 40 and rng.random() < 0.8:
            labels.append(f"{number},true,{(at + timedelta(days=3)).isoformat()}")
    (tmp_path / "logins.csv").write_text("id,at,account,device,ip,vpn\n" + "\n".join(rows))
    (tmp_path / "stolen.csv").write_text("id,fraud,known\n" + "\n".join(labels))
    (tmp_path / "site.yaml").write_text("""
name: site
streams:
  name: logins
  files: ${HERE}/logins.csv
  columns: {event_id: id, event_at: at, account: account, device: device, network: ip, vpn: vpn}
  keys: [account, device, network]
  attributes: {vpn: flag, country: text, latency: number}  # two of which no file has
labels:
  stream: logins
  files: ${HERE}/stolen.csv
  columns: {event_id: id, fraud: fraud, known_at: known}
""")
    load_dataset(warehouse, load_spec(tmp_path / "site.yaml"), now=AS_OF.cutoff)
    as_of = AsOf(date(2026, 4, 29), datetime(2026, 4, 30, 2, tzinfo=UTC))

    with connect(warehouse) as conn:
        found = LEARNING.train(conn, as_of, options={"alerts_per_day": 10})
        artifact = Artifact("fraud", "v", found.trees, found.manifest, found.files)
        verdict = LEARNING.judge(conn, as_of, artifact, None)

    assert "device_fraud_share_7d_3d_ago" in [one["name"] for one in found.manifest["features"]]
    assert verdict.evidence["challenger"]["auc"] > 0.9, verdict.reason

    settings = Settings(
        home=tmp_path,
        warehouse_url=warehouse.url.render_as_string(hide_password=False),
        dataset=str(tmp_path / "site.yaml"),
        keep_events_days=10_000,
    )
    runtime = Runtime(settings, clock=lambda: AS_OF.cutoff)  # when it was loaded
    version = register_trained(runtime, "fraud", found)
    promote("fraud", version, "a test", actor="test", runtime=runtime)
    client = create_app(runtime, authenticator=Anybody(), models=[MODEL]).test_client()
    for number, keys in enumerate(
        ({"account": "a1", "device": "d1", "network": "5"}, {"account": "a2", "device": "new29"})
    ):
        login = {"event_id": f"n{number}", "event_at": "2026-04-29T20:00:00Z", "keys": keys}
        login |= {"attributes": {"vpn": True}, "record": True}
        answer = client.post("/v1/models/fraud/predict", json=login)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.get_json()["predictions"][0]["key"] == keys["account"]
    later = Runtime(settings, clock=lambda: AS_OF.cutoff + timedelta(hours=1))
    assert score_day("fraud", as_of.business_date, "latest", runtime=later)["rows"] > 100
    with connect(warehouse) as conn:
        proofs = conn.execute(select(proof.c.decisions, proof.c.differing, proof.c.wrong_tiles))
        assert proofs.all() == [(2, 0, 0)]
        table = MODEL.night.score_table
        kept = conn.scalars(select(table.c.event_id).where(table.c.event_id.in_(["n0", "n1"])))
        assert sorted(kept) == ["n0", "n1"]
    for engine in (runtime.engine, runtime.lone_statements, later.engine):
        engine.dispose()
