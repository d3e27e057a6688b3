import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partlabel.errors import InputError, rows_named
from partlabel.tables import as_frame, as_series, column, distinct, is_null

COLUMNS = {"item": [3, 1, None], "label": ["ham", None, "spam"]}


@pytest.mark.parametrize(
    "table",
    [
        pl.DataFrame(COLUMNS),
        pl.LazyFrame(COLUMNS),
        pa.table(COLUMNS),
        pa.record_batch(COLUMNS),
        COLUMNS,
        pd.DataFrame({"item": [3, 1, np.nan], "label": ["ham", np.nan, "spam"]}),
        pd.DataFrame(COLUMNS, dtype=object),
        pd.DataFrame(COLUMNS).astype({"item": "Int64", "label": "category"}),
        pd.DataFrame(COLUMNS, index=["x", "x", "y"]).convert_dtypes(),
    ],
    ids=lambda table: f"{type(table).__module__}.{type(table).__name__}",
)
def test_tables_of_every_library_give_the_same_frame(table: object) -> None:
    frame = as_frame(table)
    assert frame["item"].to_list() == [3, 1, None]
    assert as_series(frame["label"]).to_list() == ["ham", None, "spam"]


def test_pandas_is_read_where_pyarrow_is_not_installed() -> None:
    program = """
import sys
sys.modules["pyarrow"] = None
import numpy as np, pandas as pd
from partlabel.labels import LabelSpace
from partlabel.tables import as_frame
table = pd.DataFrame({
    "number": [1, 2, 3], "gap": pd.array([1, None, 3], dtype="Int64"), "name": ["a", None, "b"],
    "kind": pd.Categorical(["a", None, "b"]), "set": [["a"], None, ["a", "b"]],
    "when": pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
})
frame = as_frame(table)
assert frame["number"].to_list() == [1, 2, 3]
assert frame["gap"].to_list() == [1, None, 3]
assert frame["name"].to_list() == frame["kind"].to_list() == ["a", None, "b"]
assert frame["set"].to_list() == [["a"], None, ["a", "b"]]
assert frame["when"].null_count() == 1
assert LabelSpace(["a", "b"]).encode(table["kind"].dropna()).tolist() == [0, 1]
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_values_of_mixed_kinds_stay_what_they_are() -> None:
    mixed = [["a", "b"], "a", None, {"b"}]
    for table in ({"label": mixed}, pd.DataFrame({"label": mixed})):
        assert as_frame(table)["label"].to_list() == mixed
    assert as_series([1, "a", True, float("nan")]).to_list() == [1, "a", True, None]


def test_names_of_columns_become_strings() -> None:
    assert as_frame(pd.DataFrame([[1, 2], [3, 4]])).columns == ["0", "1"]


@given(st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=12))
def test_distinct_values_are_numbered_as_they_appear(values: list) -> None:
    for series in (
        pl.Series(values, dtype=pl.Int64),
        pl.Series(values, dtype=pl.Object),
        pl.Series([None if v is None else [str(v)] * v for v in values], dtype=pl.List(pl.String)),
    ):
        which, first = distinct(series)
        seen = list(dict.fromkeys(values))
        assert which.tolist() == [seen.index(value) for value in values]
        assert first.tolist() == [values.index(value) for value in seen]


@pytest.mark.parametrize("value", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT], ids=repr)
def test_missing_values_are_known(value: object) -> None:
    assert is_null(value)


@pytest.mark.parametrize("value", ["", 0, False, [], "nan", np.int64(0)], ids=repr)
def test_other_values_are_not_missing(value: object) -> None:
    assert not is_null(value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: as_frame({"a": [1, 2], "b": [1]}, "votes"),
            "`votes` must have columns of one length; got the lengths 'a' 2, 'b' 1.",
        ),
        (
            lambda: as_frame(pd.DataFrame([[1, 2]], columns=["a", "a"])),
            "`table` must have columns with different names;",
        ),
        (
            lambda: as_frame(pd.DataFrame([[1, 2]], columns=["1", 1])),
            "`table` must have columns with different names;",
        ),
        (
            lambda: column(pl.DataFrame(COLUMNS), "worker", "source"),
            (
                "`source` must name a column of the table; got 'worker', but its columns are "
                "'item', 'label'. Pass one of these."
            ),
        ),
        (lambda: as_series(np.eye(2)), "A column must have one dimension; got an array of shape"),
    ],
)
def test_refusals_name_the_value_and_the_remedy(build: object, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        build()
    assert message in str(refusal.value)


@pytest.mark.parametrize("table", [[1], 3, "votes.csv", np.eye(2)])
def test_what_is_no_table_is_a_type_error(table: object) -> None:
    kind = type(table).__name__
    with pytest.raises(TypeError, match=f"must be a polars, pandas or Arrow table.*got {kind}"):
        as_frame(table)


def test_rows_are_named_by_position_or_id() -> None:
    bad = np.array([False, True, True, True, True])
    assert rows_named(bad) == "rows 1, 2, 3, ... (4 of 5 rows)"
    assert rows_named(bad[:2], ["x", "y"]) == "row y (1 of 2 rows)"
    assert rows_named(bad[:2], pd.Series(["x", "y"], index=[1, 0])) == "row y (1 of 2 rows)"
