"""Inputs as real people have them: one function each, with what is right for it; see `cases`."""

from support.real_inputs import audio_files, folders, kaldi_dirs, lhotse_sets
from support.real_inputs.cases import CASES

__all__ = ["CASES", "audio_files", "folders", "kaldi_dirs", "lhotse_sets"]
