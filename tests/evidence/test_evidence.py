import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from partlabel.errors import InputError
from partlabel.evidence import KINDS, Candidates, Evidence, Votes, as_evidence
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])

ids = st.lists(st.sampled_from("uvwxyz"), min_size=1, max_size=6, unique=True)
masks = hnp.arrays(bool, (5, 3)).map(lambda mask: mask | ~mask.any(axis=1, keepdims=True))
gold_codes = hnp.arrays(np.int64, 5, elements=st.integers(-1, 2))


def code(name: str) -> int:
    """A vote that follows from the item, so that a misplaced row shows."""
    return "uvwxyz".index(name) % 3


def parts_about(votes: list[str], candidates: list[str], gold: list[str]) -> dict:
    not_its_next = [[k for k in range(3) if k != (code(name) + 1) % 3] for name in candidates]
    sets = [[LABELS.classes[k] for k in row] for row in not_its_next]
    return {
        "votes": Votes.from_matrix([[code(name)] for name in votes], LABELS, items=votes),
        "candidates": Candidates.from_lists(sets, LABELS, items=candidates),
        "gold": Candidates.from_labels([code(name) for name in gold], LABELS, items=gold),
    }


def check_rows(evidence: Evidence, parts: dict) -> None:
    for i, name in enumerate(evidence.item_ids.tolist()):
        own = evidence.votes.symbol[evidence.votes.indptr[i] : evidence.votes.indptr[i + 1]]
        assert own.tolist() == ([code(name)] if name in parts["votes"].item_ids else [])
        ruled_out = np.flatnonzero(~evidence.candidates.mask()[i]).tolist()
        about = name in parts["candidates"].item_ids
        assert ruled_out == ([(code(name) + 1) % 3] if about else [])
        assert evidence.gold.exact[i] == (name in parts["gold"].item_ids)
        assert not evidence.gold.exact[i] or evidence.gold.codes()[i] == code(name)


@given(ids, ids, ids)
def test_parts_are_matched_by_id(votes: list, candidates: list, gold: list) -> None:
    parts = parts_about(votes, candidates, gold)
    evidence = Evidence(**parts)
    assert evidence.item_ids.tolist() == list(dict.fromkeys([*votes, *candidates, *gold]))
    check_rows(evidence, parts)
    for name, own in (("votes", votes), ("candidates", candidates), ("gold", gold)):
        expected = {"matched": len(own), "dropped": 0, "without": len(evidence) - len(own)}
        assert evidence.alignment[name] == expected


@given(ids, ids, ids, ids)
def test_items_choose_and_order_the_rows(items: list, votes: list, cands: list, gold: list) -> None:
    parts = parts_about(votes, cands, gold)
    if any(not set(part.item_ids) & set(items) for part in parts.values()):
        return
    evidence = Evidence(**parts, items=items, unmatched="drop")
    assert evidence.item_ids.tolist() == items
    check_rows(evidence, parts)
    for name, part in parts.items():
        matched = len(set(part.item_ids) & set(items))
        assert evidence.alignment[name] == {
            "matched": matched,
            "dropped": len(part) - matched,
            "without": len(items) - matched,
        }


def test_numbers_match_whatever_their_type() -> None:
    votes = Votes.from_matrix([[0], [1]], LABELS, items=np.array([7, 5], dtype=np.int32))
    gold = Candidates.from_labels(["b", "a"], LABELS, items=np.array([5.0, 9.0]))
    evidence = Evidence(votes=votes, gold=gold)
    assert evidence.item_ids.tolist() == [7, 5, 9]
    assert evidence.gold.exact.tolist() == [False, True, True]


def test_signed_and_unsigned_ids_match_exactly() -> None:
    large = 2**60
    votes = Votes.from_matrix([[0], [1]], LABELS, items=np.array([large, 5]))
    ids = np.array([large + 1, 5], dtype=np.uint64)
    evidence = Evidence(votes=votes, gold=Candidates.from_labels(["b", "a"], LABELS, items=ids))
    assert evidence.item_ids.tolist() == [large, 5, large + 1]
    assert evidence.gold.exact.tolist() == [False, True, True]


def test_parts_without_ids_go_by_position() -> None:
    votes = Votes.from_matrix([[0], [1]], LABELS)
    gold = Candidates.from_labels(["a", None], LABELS, items=["x", "y"])
    evidence = Evidence(votes=votes, gold=gold)
    assert evidence.item_ids.tolist() == ["x", "y"]
    assert evidence.votes.symbol.tolist() == [0, 1]
    named = Evidence(votes=votes, items=["p", "q"])
    assert named.item_ids.tolist() == ["p", "q"]
    assert Evidence(votes=votes).item_ids is None
    assert Evidence(votes=votes).alignment == {"votes": {"matched": 2, "dropped": 0, "without": 0}}
    mixed = Evidence(votes=votes, gold=gold, items=["y", "x"])
    assert mixed.gold.exact.tolist() == [False, True]
    assert mixed.votes.symbol.tolist() == [0, 1]


@given(masks, gold_codes)
def test_hard_sets_are_the_product_of_the_masks(mask: np.ndarray, gold: np.ndarray) -> None:
    candidates = Candidates.from_mask(mask, LABELS)
    known = Candidates.from_labels(gold, LABELS, missing=-1)
    gold_mask = np.array([[g in (-1, k) for k in range(3)] for g in gold])
    clash = np.array([g >= 0 and not row[g] for g, row in zip(gold, mask, strict=True)])
    evidence = Evidence(candidates=candidates, gold=known, conflicts="relax")
    expected = np.where(clash[:, None], True, mask) & gold_mask
    sets = evidence.hard_sets()
    np.testing.assert_array_equal(sets.table[sets.which], expected)
    assert evidence.n_conflicts == clash.sum()
    if clash.any():
        with pytest.raises(InputError, match="`gold` must lie within `candidates`"):
            Evidence(candidates=candidates, gold=known)
    for part, alone in (("candidates", mask), ("gold", gold_mask)):
        sets = Evidence(**{part: {"candidates": candidates, "gold": known}[part]}).hard_sets()
        np.testing.assert_array_equal(sets.table[sets.which], alone)


def test_votes_alone_leave_every_class_possible() -> None:
    sets = Evidence(votes=Votes.from_matrix([[0], [1]], LABELS)).hard_sets()
    assert sets.table[sets.which].tolist() == [[True] * 3] * 2


def test_every_item_counts_once_by_what_is_surest() -> None:
    evidence = Evidence(
        votes=Votes.from_matrix([[0], [0], [0], [0], [-1], [-1]], LABELS),
        candidates=Candidates.from_lists(["a", "a", ["a", "b"], None, None, ["b", "c"]], LABELS),
        gold=Candidates.from_labels(["a", None, None, None, None, None], LABELS),
    )
    assert [KINDS[k] for k in evidence.kind()] == [
        "gold", "exact", "partial", "voted", "nothing", "partial",
    ]  # fmt: skip
    assert evidence.counts() == {"gold": 1, "exact": 1, "partial": 2, "voted": 1, "nothing": 1}
    assert list(evidence.counts()) == list(KINDS)


@given(masks, gold_codes, st.lists(st.integers(0, 4), min_size=1, max_size=7))
def test_select_takes_the_same_rows_of_every_part(
    mask: np.ndarray, gold: np.ndarray, rows: list
) -> None:
    evidence = Evidence(
        votes=Votes.from_matrix(gold[:, None], LABELS, items=list("vwxyz")),
        candidates=Candidates.from_mask(mask, LABELS),
        gold=Candidates.from_labels(gold, LABELS, missing=-1),
        conflicts="relax",
    )
    chosen = evidence.select(rows)
    assert chosen.item_ids.tolist() == evidence.item_ids[rows].tolist()
    assert chosen.n_items == len(rows)
    np.testing.assert_array_equal(chosen.kind(), evidence.kind()[rows])
    np.testing.assert_array_equal(chosen.candidates.mask(), evidence.candidates.mask()[rows])
    np.testing.assert_array_equal(chosen.gold.mask(), evidence.gold.mask()[rows])
    counts = evidence.votes.votes_per_item
    np.testing.assert_array_equal(chosen.votes.votes_per_item, counts[rows])
    first = np.array(rows) == rows[0]
    np.testing.assert_array_equal(chosen.select(first).kind(), evidence.kind()[rows][first])
    from_the_end = evidence.select(np.array(rows) - 5)
    assert from_the_end.item_ids.tolist() == chosen.item_ids.tolist()
    np.testing.assert_array_equal(from_the_end.votes.symbol, chosen.votes.symbol)
    np.testing.assert_array_equal(from_the_end.kind(), chosen.kind())


def test_evidence_is_indexed_as_an_array_is() -> None:
    evidence = Evidence(**parts_about(["u", "v"], ["v"], ["w"]))
    assert evidence.shape == (3,)
    assert evidence[[2, 0]].item_ids.tolist() == ["w", "u"]
    assert evidence[1:].item_ids.tolist() == ["v", "w"]
    assert evidence[np.array([True, False, False])].item_ids.tolist() == ["u"]
    assert np.asarray(evidence).tolist() == [-1, -1, code("w")]


def test_without_forgets_one_part_and_keeps_the_items() -> None:
    evidence = Evidence(**parts_about(["u", "v"], ["v"], ["w"]))
    rest = evidence.without("gold")
    assert rest.gold is None
    assert rest.item_ids.tolist() == ["u", "v", "w"]
    nothing = Evidence(votes=evidence.votes).without("votes")
    assert nothing.counts()["nothing"] == nothing.n_items == 3


def test_a_part_alone_is_evidence() -> None:
    parts = parts_about(["u"], ["v"], ["w"])
    assert as_evidence(parts["votes"]).votes is not None
    assert as_evidence(parts["gold"]).candidates is not None
    evidence = Evidence(votes=parts["votes"])
    assert as_evidence(evidence) is evidence


def votes_of(*items: object) -> Votes:
    return Votes.from_matrix([[0]] * len(items), LABELS, items=items)


def gold_of(*items: object) -> Candidates:
    return Candidates.from_labels(["a"] * len(items), LABELS, items=items)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (Evidence, "`Evidence` must hold votes, candidates or gold; got none of them."),
        (
            lambda: Evidence(
                votes=votes_of("x"),
                gold=Candidates.from_labels(["a"], LabelSpace(["a", "b"])),
            ),
            (
                "`gold` must have the label space of `votes`; it has ('a', 'b') instead of "
                "('a', 'b', 'c'). Build all parts with one LabelSpace."
            ),
        ),
        (
            lambda: Evidence(
                votes=Votes.from_matrix([[0]], LABELS),
                gold=Candidates.from_labels(["a", "b"], LABELS),
            ),
            (
                "Parts without item ids must be about the same items; they have different lengths: "
                "votes 1, gold 2. Give each part its item ids, or rows for all items."
            ),
        ),
        (
            lambda: Evidence(votes=Votes.from_matrix([[0]], LABELS), items=["x", "y"]),
            "different lengths: items 2, votes 1",
        ),
        (
            lambda: Evidence(votes=votes_of("x"), items=["x", "x"]),
            "`items` must all differ; id 'x' stands at rows 0, 1 (2 of 2 rows).",
        ),
        (
            lambda: Evidence(votes=votes_of("x", "y").select([0, 0, 1]), gold=gold_of("x")),
            "`votes.item_ids` must all differ; id 'x' stands at rows 0, 1 (2 of 3 rows).",
        ),
        (
            lambda: Evidence(votes=votes_of("x", "y").select([0, 0]), items=["x", "y"]),
            "`votes.item_ids` must all differ",
        ),
        (
            lambda: Evidence(votes=votes_of("x"), gold=gold_of(3)),
            "Item ids must be of one kind to be matched; got votes String, gold Int64.",
        ),
        (
            lambda: Evidence(votes=votes_of("x", "y", "z"), items=["x"]),
            (
                "`votes` must be about the given items; got others at rows y, z (2 of 3 rows). "
                "Correct the ids, or pass unmatched='drop' where some match."
            ),
        ),
        (
            lambda: Evidence(votes=votes_of("x"), items=["y"], unmatched="drop"),
            "`votes` must be about the given items; got others at row x (1 of 1 rows).",
        ),
        (
            lambda: Evidence(gold=Candidates.from_lists([["a", "b"], "a"], LABELS)),
            "`gold` must name one class or none for each item; it names several at row 0 (1 of 2",
        ),
        (
            lambda: Evidence(
                candidates=Candidates.excluding(["a"], LABELS, items=["x"]), gold=gold_of("x")
            ),
            (
                "`gold` must lie within `candidates`; it doesn't at row x (1 of 1 rows). "
                "Correct them, or pass conflicts='relax' to trust gold there."
            ),
        ),
        (
            lambda: Evidence(votes=votes_of("x"), conflicts="ignore"),
            "`conflicts` must be one of 'refuse', 'relax'; got 'ignore'.",
        ),
        (
            lambda: Evidence(votes=votes_of("x"), unmatched="keep"),
            "`unmatched` must be one of 'refuse', 'drop'; got 'keep'.",
        ),
    ],
)
def test_refusals_name_the_value_and_the_remedy(build: object, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        build()
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Evidence(gold=np.array([0])), "`gold` must be Candidates; got ndarray."),
        (lambda: Evidence(votes=gold_of("x")), "`votes` must be Votes; got Candidates."),
        (lambda: as_evidence([0, 1]), "must be Evidence, Votes or Candidates; got list."),
    ],
)
def test_parts_of_a_wrong_kind_are_type_errors(build: object, message: str) -> None:
    with pytest.raises(TypeError) as refusal:
        build()
    assert message in str(refusal.value)
