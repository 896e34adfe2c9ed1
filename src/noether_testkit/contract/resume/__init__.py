"""Resume as an experiment: a run that is stopped and goes on, beside its twin that is never stopped."""

from noether_testkit.contract.resume.draws import Draws
from noether_testkit.contract.resume.experiment import Experiment, experiment
from noether_testkit.contract.resume.mismatch import Mismatch
from noether_testkit.contract.resume.search import Search, search
from noether_testkit.contract.resume.trial import Space, Trial, space_of

__all__ = ["Draws", "Experiment", "Mismatch", "Search", "Space", "Trial", "experiment", "search", "space_of"]
