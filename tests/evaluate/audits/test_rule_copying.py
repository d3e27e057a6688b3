"""Models that copy, half copy or don't, made so by construction; the audit tells them apart."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from partlabel.aggregate import MajorityVote
from partlabel.errors import InputError
from partlabel.evaluate import RuleCopying, RuleCopyingAudit, audit_rule_copying
from partlabel.evaluate.audits.rule_inputs import WORD, Donor, RuleInputs
from partlabel.evaluate.powered.measured import Measured, lost, mean_over, skill
from partlabel.labels import LabelSpace
from partlabel.rules import Rule, apply_rules, find_triggers, keywords, row_rule, threshold

LABELS = LabelSpace(["ham", "spam"])
RULES = [
    keywords("ham", ["song", "lyrics"], "text", name="song"),
    keywords("ham", ["love"], "text", name="love"),
    keywords("spam", ["free money"], "text", name="money"),
    keywords("spam", ["subscribe"], "text", name="subscribe"),
]
TRIGGERS = [["song", "love"], ["free money", "subscribe"]]


def texts(n: int, telling: float, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Four ordinary words, four signs that tell the class, a trigger in two rows of three."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=n)
    rows = []
    for k in truth:
        sides = np.where(rng.random(4) < telling, k, 1 - k)
        words = [f"word{w}" for w in rng.integers(30, size=4)]
        words += [f"sign{rng.integers(5)}of{side}" for side in sides]
        if rng.random() < 0.67:
            words.append(TRIGGERS[k][rng.integers(2)])
        rows.append(" ".join(rng.permutation(words)))
    return pl.DataFrame({"text": rows, "other": rng.normal(4.0 * truth - 2.0)}), truth


def bag() -> Any:
    return make_pipeline(CountVectorizer(binary=True), LogisticRegression())


def trained(model: Any, frame: pl.DataFrame, features: str = "text") -> Any:
    """Train on the majority of the votes."""
    votes = apply_rules(RULES, frame, LABELS)
    fired = votes.votes_per_item > 0
    said = np.array(MajorityVote().fit_aggregate(votes).decide().to_list())
    inputs = frame[features].to_numpy()
    return model.fit((inputs if features == "text" else inputs[:, None])[fired], said[fired])


def audited(model: Any, frame: Any, rules: list[Rule] = RULES, **more: Any) -> RuleCopyingAudit:
    settings = {"label_model": MajorityVote(), "random_state": 0, "retrain": False} | more
    return audit_rule_copying(model, frame, rules, **settings)


@pytest.fixture(scope="module")
def copying() -> RuleCopyingAudit:
    """A model of texts in which nothing but the triggers tells the class."""
    model = trained(bag(), texts(500, 0.5, seed=1)[0])
    return audited(model, texts(500, 0.5, seed=2)[0], retrain=True)


def test_a_model_that_learnt_nothing_else_copies(copying: RuleCopyingAudit) -> None:
    assert copying.verdict is RuleCopying.COPIES
    assert copying.low < copying.score < copying.high
    assert copying.score == pytest.approx(1.0, abs=0.2)


def test_it_is_told_what_else_there_is_to_learn(copying: RuleCopyingAudit) -> None:
    assert "won't help" in copying.remedies[0]
    richer, _ = texts(500, 0.8, seed=3)
    deaf = make_pipeline(CountVectorizer(vocabulary=["song", "love", "money", "subscribe"]),
                         LogisticRegression())  # fmt: skip
    found = audited(trained(deaf, richer), texts(500, 0.8, seed=4)[0], retrain=True)
    assert found.verdict is RuleCopying.COPIES
    assert not found.remedies[0].startswith("Hide triggers")  # as this model sees nothing else
    full = audited(trained(bag(), texts(500, 0.65, seed=3)[0]), texts(500, 0.65, seed=4)[0],
                   retrain=True)  # fmt: skip
    assert full.verdict in (RuleCopying.COPIES, RuleCopying.PARTLY)
    assert full.remedies[0].startswith("Hide triggers while the model trains")


def test_the_score_falls_as_there_is_more_to_learn() -> None:
    scores = [
        audited(trained(bag(), texts(600, q, seed=5)[0]), texts(600, q, seed=6)[0]).score
        for q in (0.5, 0.7, 0.95)
    ]
    assert scores[0] > scores[1] + 0.1 > scores[2] + 0.2


def test_a_model_that_does_not_see_the_texts_copies_nothing() -> None:
    frame, _ = texts(500, 0.5)
    model = trained(LogisticRegression(), frame, "other")
    found = audited(model, texts(500, 0.5, seed=9)[0], features="other")
    assert found.score == 0.0
    assert found.verdict is RuleCopying.GENERALISES


def test_names_and_order_of_the_classes_do_not_matter() -> None:
    train, test = texts(400, 0.8, seed=1)[0], texts(400, 0.8, seed=2)[0]
    model = trained(bag(), train)
    one = audited(model, test, labels=LABELS)
    other = audited(model, test, labels=LabelSpace(["spam", "ham"]))
    assert other.score == pytest.approx(one.score)


def test_class_codes_do_for_names() -> None:
    train, test = texts(400, 0.8, seed=1)[0], texts(400, 0.8, seed=2)[0]
    named = trained(bag(), train)

    class Coded(BaseEstimator, ClassifierMixin):
        classes_ = np.array([0, 1])

        def predict_proba(self, X: Any) -> np.ndarray:
            return named.predict_proba(X)

    assert audited(Coded(), test).score == pytest.approx(audited(named, test).score)


def test_rows_that_a_model_remembers_tell_nothing() -> None:
    frame, _ = texts(200, 0.5)
    stripped = frame["text"].str.replace_all("song|love|free money|subscribe", "").to_list()
    said = MajorityVote().fit_aggregate(apply_rules(RULES, frame, LABELS)).decide().to_list()
    by_heart = make_pipeline(CountVectorizer(ngram_range=(1, 2)), LogisticRegression(C=30.0))
    by_heart.fit([*frame["text"], *stripped], [*said, *said])
    found = audited(by_heart, frame, retrain=True)
    assert found.verdict is RuleCopying.CANT_TELL
    assert "seems to remember them" in found.reason
    assert audited(by_heart, frame, held_out=True).verdict is not RuleCopying.CANT_TELL


def test_companions_of_triggers_are_no_concept() -> None:
    frame, _ = texts(400, 0.5)
    beside = pl.col("text").str.replace_all("song|love", "this $0")
    beside = beside.str.replace_all("free money|subscribe", "$0 now")
    frame = frame.with_columns(beside)
    model = trained(bag(), frame.head(200))
    found = audited(model, frame.tail(200), retrain=True, held_out=True)
    assert found.score < 0.1  # "this" and "now" tell all that the triggers told
    assert found.verdict is RuleCopying.CANT_TELL
    assert "even without them the rows where rules speak are unlike" in found.reason


def test_rules_of_unknown_triggers_tell_nothing() -> None:
    @row_rule(reads=["text"], says=["ham", "spam"])
    def guess(row: dict[str, str]) -> str:
        return "spam" if len(row["text"]) % 2 else "ham"

    frame, _ = texts(100, 0.5)
    found = audited(trained(bag(), frame), frame, [guess], features="text")
    assert found.verdict is RuleCopying.CANT_TELL
    assert "Only 0 of 100 decided rows rest on rules whose triggers are known" in found.reason
    assert np.isnan(found.score)
    assert found.to_dict()["score"] is None
    assert found.rules["traced"].to_list() == [False]


def test_one_class_tells_nothing() -> None:
    frame, _ = texts(200, 0.5)
    found = audited(trained(bag(), frame), frame, RULES[:2], labels=LABELS)
    assert "decides for one class only" in found.reason


def test_a_model_without_skill_tells_nothing() -> None:
    class Mute:
        def predict_proba(self, X: Any) -> np.ndarray:
            return np.full((len(X), 2), 0.5)

    found = audited(Mute(), texts(200, 0.5)[0], retrain=True)  # it can't be trained anew
    assert "hardly follows the label model (skill 0.00)" in found.reason


def test_gold_is_asked_for_where_all_rules_abstain() -> None:
    frame, _ = texts(400, 0.8)
    frame = frame.with_columns(id=pl.format("t{}", pl.int_range(pl.len())))
    found = audited(trained(bag(), frame), frame, item="id")
    silent = {frame["id"][row] for row, text in enumerate(frame["text"]) if "⟦" not in marked(text)}
    assert len(set(found.gold_rows)) == 50
    assert set(found.gold_rows) <= silent
    assert set(found.examples["row"]).isdisjoint(silent)


def marked(text: str) -> str:
    for trigger in ("song", "lyrics", "love", "free money", "subscribe"):
        text = text.replace(trigger, f"⟦{trigger}⟧")
    return text


def test_examples_show_the_triggers(copying: RuleCopyingAudit) -> None:
    first = copying.examples.row(0, named=True)
    plain = first["text"].replace("⟦", "").replace("⟧", "")
    assert first["text"] == marked(plain)
    assert [plain[start:stop] for start, stop in first["spans"]] == [
        found.split("⟧")[0] for found in first["text"].split("⟦")[1:]
    ]
    assert first["probability"] > first["hidden"]


def test_tells_by_rule_what_the_others_teach(copying: RuleCopyingAudit) -> None:
    assert copying.rules["rule"].to_list() == ["song", "love", "money", "subscribe"]
    told = copying.rules.drop_nulls()
    assert (told["low"] <= told["agreement"]).all()
    assert (told["agreement"] <= told["high"]).all()


def test_evidence_is_a_table_and_json(copying: RuleCopyingAudit) -> None:
    table = copying.to_polars()
    assert table["probe"].to_list() == [
        "score", "hiding", "fidelity", "opinion", "planting", "importance", "linear", "learnable",
        "strangeness",
        "leaving out",
    ]  # fmt: skip
    values = dict(zip(table["probe"], table["value"], strict=True))
    controls = dict(zip(table["probe"], table["control"], strict=True))
    assert values["score"] == pytest.approx(controls["hiding"] - values["hiding"], abs=0.02)
    assert values["planting"] > 0.9
    assert controls["planting"] < 0.3
    assert 0.3 < values["linear"] < 1.0
    assert json.loads(json.dumps(copying.to_dict()))["verdict"] == "copies"
    assert str(copying).startswith(RuleCopying.COPIES.value)


def test_texts_by_themselves_will_do() -> None:
    frame, _ = texts(200, 0.8)
    model = trained(bag(), frame)
    assert audited(model, frame["text"].to_list()).score == audited(model, frame).score


def test_columns_that_rules_read_are_triggers_too() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=800)
    frame = pl.DataFrame(
        {
            "links": rng.poisson(np.where(truth == 1, 4.0, 1.0)),
            "likes": rng.normal(np.where(truth == 1, -1.0, 1.0)),
            "noise": rng.normal(size=800),
        }
    )
    rules = [
        threshold("spam", "links", above=3, name="many"),
        threshold("ham", "links", below=1, name="none"),
    ]
    said = np.where(frame["links"] > 3, "spam", "ham")
    fired = ((frame["links"] > 3) | (frame["links"] < 1)).to_numpy()
    for columns, verdict in (
        (["links", "noise"], RuleCopying.COPIES),
        (["likes", "noise"], RuleCopying.GENERALISES),
    ):
        model = DecisionTreeClassifier(max_depth=3, random_state=0)
        model.fit(frame.select(columns).to_numpy()[fired], said[fired])
        found = audited(model, frame, rules, features=columns, retrain=True, held_out=True)
        assert found.verdict is verdict, columns
        made = audited(model, frame, rules, features=lambda rows, c=columns: rows[c].to_numpy())
        assert made.verdict is verdict, columns


def test_skill_is_that_of_the_roc_curve_and_its_influence_that_of_each_row() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=60)
    probs = rng.dirichlet(np.ones(3), size=60) + 0.3 * np.eye(3)[codes]
    by_hand = sum(
        (codes == k).mean() * (2 * roc_auc_score(codes == k, probs[:, k]) - 1) for k in range(3)
    )
    measured = skill(probs, codes)
    assert measured.value == pytest.approx(by_hand)
    assert measured.influence.mean() == pytest.approx(0.0, abs=1e-12)
    binary = (codes > 0).astype(np.int64)
    two = np.column_stack([probs[:, 0], 1 - probs[:, 0]])
    value, influence = skill(two, binary)
    dropped = [
        skill(np.delete(two, row, axis=0), np.delete(binary, row)).value for row in range(60)
    ]
    np.testing.assert_allclose(59 * (value - np.array(dropped)), influence, atol=0.1)


def test_what_is_lost_is_certain_where_all_or_nothing_is() -> None:
    one = mean_over(np.arange(5.0), np.array([True, True, True, True, False]))
    nothing = Measured(0.0, np.zeros(5))
    assert one.value == 1.5
    assert lost(one, one, one) == (0.0, pytest.approx(np.zeros(5)))
    assert lost(nothing, one, one) == (1.0, pytest.approx(np.zeros(5)))


def test_hiding_leaves_no_trigger_and_its_control_as_many_words_less() -> None:
    frame, _ = texts(100, 0.8)
    inputs = RuleInputs.of(RULES, frame, ["text"])
    assert find_triggers(RULES, inputs.hidden()).is_empty()
    control = inputs.ordinary_hidden(np.random.default_rng(0))
    same = ["row", "rule", "trigger"]
    assert find_triggers(RULES, control)[same].equals(inputs.spans[same])
    words = [
        [len(WORD.findall(text)) for text in table["text"]] for table in (inputs.hidden(), control)
    ]
    assert words[0] == words[1]


def test_planting_gives_each_row_the_trigger_of_its_donor() -> None:
    frame = pl.DataFrame({"text": ["a song b", "c subscribe", "d e"], "links": [1, 2, 9]})
    rules = [*RULES, threshold("spam", "links", above=5, name="links")]
    inputs = RuleInputs.of(rules, frame, ["text", "links"])
    planted = inputs.planted([Donor(1, "subscribe"), None, Donor(2, "links")])
    assert [" ".join(text.split()) for text in planted["text"]] == ["a b subscribe", "c", "d e"]
    assert planted["links"].to_list() == [2, 2, 9]
    rng = np.random.default_rng(0)
    ordinary = inputs.ordinary_planted([Donor(1, "subscribe"), None, Donor(2, "links")], rng)
    assert [" ".join(text.split()) for text in ordinary["text"]] == ["a b c", "c", "d e"]


def test_refuses_what_it_cannot_read() -> None:
    frame, _ = texts(50, 0.5)
    model = trained(bag(), frame)
    rules = [threshold("spam", "other", above=0), threshold("ham", "other", below=0)]
    with pytest.raises(InputError, match=r"`features` must say what the model reads .* none"):
        audited(model, frame, rules)
    with pytest.raises(InputError, match=r"`features` must name a column .* got 'body'"):
        audited(model, frame, features="body")
    with pytest.raises(InputError, match="`item` must name a column"):
        audited(model, frame, item="id")
    with pytest.raises(InputError, match="`level` must lie in"):
        audited(model, frame, level=95)
    with pytest.raises(InputError, match=r"`model` must predict the classes \['A', 'B'\]"):
        audited(model, frame, [keywords(c, ["song"], "text", name=c) for c in "AB"])
    with pytest.raises(InputError, match="`model` must give 2 probabilities for each of the 50"):
        audited(model, frame, features=lambda rows: rows["text"].to_list()[:3])
