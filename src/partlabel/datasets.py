"""Example data: tumours of which few have a diagnosis, as in the demo and the tutorial.

The measurements and diagnoses ship with scikit-learn: 569 fine needle aspirates of breast masses,
of W. H. Wolberg, W. N. Street and O. L. Mangasarian, Breast Cancer Wisconsin (Diagnostic), UCI
Machine Learning Repository 1995.
"""

import numpy as np
import polars as pl
from sklearn.datasets import load_breast_cancer

CLASSES = ("benign", "malignant")


def breast_cancer(
    *, n_gold: int = 40, n_candidates: int = 60, n_new: int = 100, random_state: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give a table of tumours about which little is known, and another one to try a model on.

    Measurements and gold labels are real. The candidates are made up, as a cautious first reader
    might have noted them: in half of these rows a diagnosis could be ruled out, rightly.

    Parameters
    ----------
    n_gold : int, default 40
        Rows with a verified diagnosis.
    n_candidates : int, default 60
        Rows with candidates; none of them has gold.
    n_new : int, default 100
        Rows of the second table.
    random_state : int, default 0
        Draws the rows.

    Returns
    -------
    known : polars.DataFrame, one row per tumour
        item; 30 measurements of the cells' nuclei (mean, standard error and worst of each);
        candidates (lists of diagnoses still possible) and gold, null in most rows.
    new : polars.DataFrame
        The same measurements of other tumours, and their diagnosis.

    Examples
    --------
    >>> known, new = breast_cancer()
    >>> known.shape, new.shape, known["gold"].count()
    ((469, 33), (100, 32), 40)
    """
    source = load_breast_cancer()
    chance = np.random.default_rng(random_state)
    order = chance.permutation(len(source.target))
    truth = pl.Series("diagnosis", source.target_names[source.target[order]], dtype=pl.String)
    table = pl.DataFrame(source.data[order], schema=[str(name) for name in source.feature_names])
    table.insert_column(0, pl.Series("item", [f"t{row:03}" for row in range(len(table))]))
    n_known = len(table) - n_new
    rows = chance.permutation(n_known)
    gold, noted = rows[:n_gold], rows[n_gold : n_gold + n_candidates]
    told, sure = np.zeros((2, n_known), dtype=bool)
    told[gold], sure[noted[: len(noted) // 2]] = True, True
    both = np.isin(np.arange(n_known), noted) & ~sure
    known = table.head(n_known).with_columns(
        candidates=pl.when(pl.Series(sure))
        .then(pl.concat_list(truth.head(n_known)))
        .when(pl.Series(both))
        .then(pl.lit(list(CLASSES))),
        gold=pl.when(pl.Series(told)).then(truth.head(n_known)),
    )
    return known, table.tail(n_new).with_columns(truth.tail(n_new))
