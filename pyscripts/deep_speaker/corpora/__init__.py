"""From the recordings of a corpus to data directories and manifests (stage 0).

Takes utterances that a local/prepare_<corpus>.py finds, in any order and number; writes manifests,
two data directories and trial lists. Start with `writing`. The prepare scripts import this package
alone: it has all that they need of this room.
"""

from deep_speaker.corpora.options import add_folder_options, add_options, add_share_option
from deep_speaker.corpora.recordings import fit_segments, read_infos, safe_id
from deep_speaker.corpora.speaker_splits import choose_test_speakers
from deep_speaker.corpora.writing import sorted_sets, write_corpus, write_sets

__all__ = [
    "add_folder_options", "add_options", "add_share_option", "choose_test_speakers",
    "fit_segments", "read_infos", "safe_id", "sorted_sets", "write_corpus", "write_sets",
]  # fmt: skip
