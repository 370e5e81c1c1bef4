"""Speaker verification with Deep Speaker (Li et al. 2017, arXiv 1705.02304) on Kaldi tables.

The rooms follow the walk of an utterance, each importing only those before it: system,
clusters, metrics, config, kaldi, trials, validation, corpora, features, copies, networks, losses,
embeddings, scoring, training, results, report, voices, export, tracking, page, commands. Each one's
docstring says where to start reading.
"""

import sys
from typing import Any

from deep_speaker.system.stopping import be_quiet_in_imports

__all__ = ["load"]

# The first of this package that a command imports, long before it is ready to take signals.
be_quiet_in_imports(getattr(sys.modules["__main__"], "__file__", None) or "")


def __getattr__(name: str) -> Any:
    """Import `load` when it is asked for: every module here passes this one."""
    if name == "load":
        from deep_speaker.voices.loading import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
