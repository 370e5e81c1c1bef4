"""From the recordings of a corpus to data directories and manifests (stage 0).

Takes utterances that a local/prepare_<corpus>.py finds, in any order and number; gives what
`write_corpus` writes: manifests, two data directories, trial lists. Start with `writing`;
`preparation` names all that the prepare scripts use of this room.
"""
