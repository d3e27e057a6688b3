import numpy as np
import pytest

from partlabel.channels import Confusion
from partlabel.errors import InputError
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ham", "spam"])
VOTES = Votes.from_matrix([[0, 1]], LABELS, sources=["a", "b"])


def test_a_known_matrix_comes_back() -> None:
    matrix = np.array([[0.9, 0.1], [0.3, 0.7]])
    confusion = Confusion.known({"a": matrix, "b": np.eye(2)}, VOTES)
    np.testing.assert_array_equal(confusion.matrix("a"), matrix)
    np.testing.assert_array_equal(confusion.matrix("b"), np.eye(2))


@pytest.mark.parametrize(
    ("matrices", "message"),
    [
        ({"a": np.eye(2)}, "'b' has none"),
        ({"a": np.eye(3), "b": np.eye(2)}, r"must have the shape \(2, 2\); got \(3, 3\)"),
        ({"a": [[1, 0], [0.5, 0.4]], "b": np.eye(2)}, r"row 1 is \[0.5, 0.4\]"),
    ],
)
def test_refuses_matrices_that_do_not_fit(matrices: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Confusion.known(matrices, VOTES)


def test_refuses_known_matrices_for_sets() -> None:
    votes = Votes.from_columns({"a": [["ham", "spam"], ["ham"]]}, labels=LABELS)
    with pytest.raises(InputError, match="must say single classes"):
        Confusion.known({"a": np.eye(2)}, votes)


def test_refuses_an_unknown_source() -> None:
    confusion = Confusion.known({"a": np.eye(2), "b": np.eye(2)}, VOTES)
    with pytest.raises(InputError, match="must be one of the 2 sources; got 'c'"):
        confusion.matrix("c")
