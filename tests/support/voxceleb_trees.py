"""Tiny trees of VoxCeleb in its published layouts, its lists and tables, for the tests."""

import sys
from pathlib import Path

import pytest

import prepare_voxceleb
from deep_speaker.kaldi.tables import read_table
from support.speech import write_speech
from voxceleb import trees

VOX1_DEV = {
    "id10001": ["1zcIwhmdeo4/00001", "1zcIwhmdeo4/00002", "-J_R1zcIwh4/00001"],
    "id10002": ["0_laIeN-Q44/00001", "6WO410QOeuo/00003"],
}
VOX1_TEST = {
    "id10270": ["x6uYqmx31kE/00001", "8jEAjG6SegY/00008"],
    "id10271": ["1gtz-CUIygI/00001", "37nktPRUJ58/00001"],
    "id10272": ["-9joBDRrjSI/00001", "-9joBDRrjSI/00002"],
}
VOX2_DEV = {
    "id00012": ["21Uxsk56VDQ/00001", "21Uxsk56VDQ/00002", "2DLq_Kkc1r8/00016"],
    "id00015": ["0fijmz4vTVU/00001", "0fijmz4vTVU/00002"],
}
VOX2_TEST = {"id00017": ["01dfn2spqyE/00001", "7t6lfzvVaTM/00001"]}
O_LIST = """1 id10270/x6uYqmx31kE/00001.wav id10270/8jEAjG6SegY/00008.wav
0 id10270/x6uYqmx31kE/00001.wav id10271/1gtz-CUIygI/00001.wav
1 id10271/1gtz-CUIygI/00001.wav id10271/37nktPRUJ58/00001.wav
0 id10271/37nktPRUJ58/00001.wav id10270/8jEAjG6SegY/00008.wav
"""
O_TRIALS = [
    "id10270-x6uYqmx31kE-00001 id10270-8jEAjG6SegY-00008 target",
    "id10270-x6uYqmx31kE-00001 id10271-1gtz-CUIygI-00001 nontarget",
    "id10271-1gtz-CUIygI-00001 id10271-37nktPRUJ58-00001 target",
    "id10271-37nktPRUJ58-00001 id10270-8jEAjG6SegY-00008 nontarget",
]
E_LIST = """1 id10001/1zcIwhmdeo4/00001.wav id10001/-J_R1zcIwh4/00001.wav
0 id10002/6WO410QOeuo/00003.wav id10270/x6uYqmx31kE/00001.wav
"""
OLD_LIST = """1 Eartha_Kitt/x6uYqmx31kE_0000001.wav Eartha_Kitt/8jEAjG6SegY_0000008.wav
0 Eartha_Kitt/x6uYqmx31kE_0000001.wav Ed_Westwick/1gtz-CUIygI_0000001.wav
1 Ed_Westwick/1gtz-CUIygI_0000001.wav Ed_Westwick/37nktPRUJ58_0000001.wav
0 Ed_Westwick/37nktPRUJ58_0000001.wav Eartha_Kitt/8jEAjG6SegY_0000008.wav
"""
VOX1_META = """VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet
id10001\tA.J._Buckley\tm\tIreland\tdev
id10002\tA.R._Rahman\tm\tTrinidad and Tobago\tdev
id10270\tEartha_Kitt\tf\tUSA\ttest
id10271\tEd_Westwick\tm\tUK\ttest
id10272\tEddie_Griffin\tm\tUSA\ttest
"""
VOX2_META = """\ufeffVoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set 
id00012 ,n000012 ,m ,dev 
id00015 ,n000015 ,f ,dev 
id00017 ,n000017 ,m ,test 
"""  # noqa: W291  # as published


def write_tree(folder: Path, speakers: dict[str, list[str]]) -> None:
    write_speech(folder, [f"{key}/{name}.wav" for key, names in speakers.items() for name in names])


def ids_of(*parts: dict[str, list[str]]) -> set[str]:
    return {
        f"{speaker}-{name.replace('/', '-')}"
        for part in parts
        for speaker, names in part.items()
        for name in names
    }


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["prepare_voxceleb.py", *map(str, [output, *words])])
    trees.require_ffmpeg.cache_clear()
    prepare_voxceleb.main()


def utterances_of(data_dir: Path) -> set[str]:
    return set(read_table(data_dir / "utt2spk"))


def read_lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
