"""p(observation | class) for each kind of evidence, and the log-likelihood that they add up to."""

from partlabel.channels.confusion import Confusion
from partlabel.channels.likelihood import (
    Channels,
    add_votes,
    log_likelihood,
    log_likelihood_chunks,
)
from partlabel.channels.tying import Tying, expected_table, prior_counts, tied

__all__ = [
    "Channels",
    "Confusion",
    "Tying",
    "add_votes",
    "expected_table",
    "log_likelihood",
    "log_likelihood_chunks",
    "prior_counts",
    "tied",
]
