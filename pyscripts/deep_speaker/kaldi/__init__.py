"""Kaldi's tables, archives and data directories, and the audio that wav.scp stands for.

Reads and writes `scp`, `ark`, `utt2spk` and the like, in the order and form that Kaldi's programs
accept. Start with `tables`, and `mapped_tables`, which are read in any order without being held,
then `utterances` and `data_dir`; `archives` reads and writes arks, `audio` decodes what
`wav_entries` name, through `audio_files`, which knows how long it really is.
"""
