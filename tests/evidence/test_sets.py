import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from partlabel.evidence import ClassSets, Vocabulary
from partlabel.labels import LabelSpace

masks = hnp.arrays(bool, st.tuples(st.integers(0, 8), st.integers(1, 70)))


@given(masks)
def test_distinct_rows_of_a_mask_are_held_once_and_come_back(mask: np.ndarray) -> None:
    sets = ClassSets.from_mask(mask)
    np.testing.assert_array_equal(sets.table[sets.which], mask)
    assert len(sets.table) == len({row.tobytes() for row in mask})


@given(masks, st.randoms(use_true_random=False))
def test_the_order_of_the_sets_is_not_that_of_the_rows(mask: np.ndarray, random: object) -> None:
    order = list(range(len(mask)))
    random.shuffle(order)
    shuffled = ClassSets.from_mask(mask[order])
    np.testing.assert_array_equal(shuffled.table, ClassSets.from_mask(mask).table)


def test_a_vocabulary_lists_classes_then_higher_levels_then_larger_sets() -> None:
    labels = LabelSpace(["a", "b", "c"])
    larger = np.array([[True, True, False], [False, True, True]])
    words = Vocabulary.of_words("llm", labels, sets=larger, edges=np.array([0.7]))
    assert len(words) == 10
    assert words.level.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]
    expected = np.vstack([np.eye(3), np.eye(3), larger, larger]).astype(bool)
    np.testing.assert_array_equal(words.members(), expected)


def test_several_sources_are_the_same_as_each_alone_joined() -> None:
    labels = LabelSpace(["a", "b", "c"])
    larger = ClassSets.from_mask(np.array([[True, True, False], [False, True, True]])).table
    said = np.array([[0, 0], [0, 1], [2, 1]])
    together = Vocabulary.of_sets(["s", "t", "u"], labels, larger, said)
    alone = [
        Vocabulary.of_words(name, labels, sets=larger[said[said[:, 0] == j, 1]])
        for j, name in enumerate("stu")
    ]
    assert together.same_as(Vocabulary.joined(alone))
    assert together.first.tolist() == [0, 5, 8, 12]
    assert Vocabulary.of_classes(["s", "t"], labels).first.tolist() == [0, 3, 6]
