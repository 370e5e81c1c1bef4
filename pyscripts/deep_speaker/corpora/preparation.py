"""The door of this room for local/prepare_<corpus>.py: all that such a script uses of it.

The room itself does not open it: other rooms take modules of this one without waiting for Lhotse.
"""

from deep_speaker.corpora.audio_files import AudioFolder, find_audio
from deep_speaker.corpora.channels import EACH, add_channel_option, read_channels
from deep_speaker.corpora.commands import Commands, add_commands_option, check_commands
from deep_speaker.corpora.options import (
    add_folder_options,
    add_options,
    add_share_option,
    explain_folders,
)
from deep_speaker.corpora.recordings import SafeIds, fit_segments, read_infos, safe_id
from deep_speaker.corpora.speaker_splits import choose_test_speakers
from deep_speaker.corpora.writing import sorted_sets, write_corpus, write_sets

__all__ = [
    "EACH", "AudioFolder", "Commands", "SafeIds", "add_channel_option", "add_commands_option",
    "add_folder_options", "add_options", "add_share_option", "check_commands",
    "choose_test_speakers", "explain_folders", "find_audio", "fit_segments", "read_channels",
    "read_infos", "safe_id", "sorted_sets", "write_corpus", "write_sets",
]  # fmt: skip
