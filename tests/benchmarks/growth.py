#!/usr/bin/env python3
"""Time and memory of stages 0, 1, 4, 5 and 6 on corpora of rising size, and of the checks between.

A corpus of N utterances has the ids, speakers and videos of VoxCeleb2 (200 utterances of a
speaker, 5 of a video), but only 0.3 s of audio an utterance, which many share in turn, a network of
some weights, and 10 trials an utterance: what grows with the number of utterances shows, what the
audio, the network and the vectors cost does not. Each stage is measured in a process of its own:

    wall_s, cpu_s  seconds, and those of processor time of all its processes
    memory_mb      the most that its processes together held of their own, without files that they
                   have mapped, which the system takes back when it needs the memory

    . ./path.sh; tests/benchmarks/growth.py SCRATCH docs/growth 12000 120000 1200000

writes docs/growth.json after each stage, so that other sizes can follow later, and docs/growth.svg,
and prints the table. Needs 8 GB of disk per million utterances. Linux alone.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import soundfile
import yaml
from lhotse import AudioSource, Recording, RecordingSet, SupervisionSegment, SupervisionSet
from matplotlib import pyplot

from deep_speaker.config import read_experiment
from deep_speaker.kaldi.tables import iterate_keys, iterate_table
from deep_speaker.networks.checkpoints import Checkpoint, save_checkpoint
from deep_speaker.networks.registry import build_network

ROOT = Path(__file__).parents[2]
PER_SPEAKER, PER_VIDEO = 200, 5
TEST_SPEAKERS, PER_TEST_SPEAKER = 100, 40  # of stage 0, which draws trials of them
RATE, SAMPLES, FILES = 16000, 4800, 300
TRIALS = 10  # of an utterance
PHASE = "pretraining"
CONFIG = {
    "features": {"num_mels": 24},
    "network": {"name": "rescnn", "channels": [4], "blocks_per_stage": 1, "embedding_dim": 16},
    "pretraining": {"loss": {"name": "softmax"}},
    "scoring": {"backends": ["cosine"]},
}
SAMPLED_S = 0.2
Words = list[str | Path]
FIGURES = ("wall_s", "cpu_s", "memory_mb")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scratch", type=Path, help="a folder for the corpora, removed after each")
    parser.add_argument("output", type=Path, help="path of the JSON file and the plot, no suffix")
    parser.add_argument(
        "sizes", nargs="*", type=int, help="numbers of utterances; none: draw alone"
    )
    parser.add_argument("--nj", default="1", help="processes of stages 1 and 4")
    options = parser.parse_args()
    output = options.output.with_suffix(".json")
    rows = json.loads(output.read_text()) if output.is_file() else []
    for size in options.sizes:
        rows = [row for row in rows if row["utterances"] != size]
        for stage, figures in measure_stages(
            options.scratch.absolute() / str(size), size, options.nj
        ):
            rows.append({"utterances": size, "stage": stage, **figures})
            output.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
            print(rows[-1], flush=True)
    print(describe(rows))
    draw(rows, options.output.with_suffix(".svg"))


def measure_stages(
    folder: Path, size: int, num_jobs: str
) -> Iterator[tuple[str, dict[str, float]]]:
    """Make a corpus in a new folder, yield each stage's figures, and remove the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    write_manifests(folder / "manifests/train", size, PER_SPEAKER, 0)
    write_manifests(
        folder / "manifests/test", TEST_SPEAKERS * PER_TEST_SPEAKER, PER_TEST_SPEAKER, 9
    )
    config, data, exp = folder / "growth.yaml", folder / "data/growth", folder / "exp/growth/growth"
    config.write_text(yaml.safe_dump(CONFIG))
    network = write_network(config, exp / PHASE / "best.pt")
    train, judged = data / "train", folder / "data/judged/test"
    by_config: Words = ["--config", config]
    jobs: Words = ["--nj", num_jobs]
    sets: Words = [f"--{name}-dir={folder}/manifests/{name}" for name in ("train", "test")]
    asked: Words = [*by_config, *jobs, "--device", "cpu", "--precision", "float32"]

    def run(name: str, *words: str | Path) -> tuple[str, dict[str, float]]:
        log = folder / f"{name.replace(' ', '_')}.log"
        return name, measure([sys.executable, ROOT / words[0], *words[1:]], log)

    validate = "pyscripts/validate_data_dir.py"
    yield run("stage 0", "local/prepare_lhotse.py", data, *sets)
    share_audio(train / "wav.scp", folder / "audio")
    yield run("checks after 0", validate, train)
    yield run("stage 1", "pyscripts/compute_features.py", *by_config, *jobs, train)
    yield run("stage 1 again", "pyscripts/compute_features.py", *by_config, *jobs, train)
    yield run("checks after 1", validate, train)
    judged.parent.mkdir()
    judged.symlink_to(train)  # by the name of a test set without training speakers
    yield run("stage 4", "pyscripts/extract_embeddings.py", *asked, network, exp / PHASE, judged)
    yield run("checks after 4", validate, exp / PHASE / "xvectors_test")
    write_trials(judged, size)
    no_train = judged.with_name("train")
    yield run("stage 5", "pyscripts/score_trials.py", *by_config, no_train, judged, exp, PHASE)
    yield run("stage 6", "pyscripts/compute_metrics.py", *by_config, judged, exp, PHASE)
    shutil.rmtree(folder)


def write_manifests(folder: Path, size: int, per_speaker: int, first: int) -> None:
    folder.mkdir(parents=True)
    with (
        RecordingSet.open_writer(folder / "recordings.jsonl.gz") as recordings,
        SupervisionSet.open_writer(folder / "supervisions.jsonl.gz") as supervisions,
    ):
        seconds = SAMPLES / RATE
        for key, speaker in name_utterances(size, per_speaker, first):
            path = f"/data/voxceleb2/dev/wav/{key.replace('-', '/')}.wav"
            source = AudioSource("command", [0], f"cat {path}")  # stage 0 does not run it
            recordings.write(Recording(key, [source], RATE, SAMPLES, seconds, [0]))
            supervisions.write(
                SupervisionSegment(key, key, 0, seconds, 0, speaker=speaker, gender="f")
            )


def name_utterances(size: int, per_speaker: int, first: int) -> Iterator[tuple[str, str]]:
    for i in range(size):
        speaker = f"id{first}{i // per_speaker:05d}"
        video = f"v{i % per_speaker // PER_VIDEO:010d}"
        yield f"{speaker}-{video}-{i % PER_VIDEO:05d}", speaker


def share_audio(wav_scp: Path, folder: Path) -> None:
    """Write some files of noise, and let wav.scp name them in turn."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(FILES):
        noise = rng.normal(0, 3000, SAMPLES).astype(np.int16)
        soundfile.write(folder / f"{i:03d}.wav", noise, RATE)
    keys = list(iterate_keys(wav_scp))
    lines = (f"{key} {folder}/{i % FILES:03d}.wav\n" for i, key in enumerate(keys))
    wav_scp.write_text("".join(lines))


def write_network(config: Path, path: Path) -> Path:
    """Write an untrained network as a checkpoint."""
    experiment = read_experiment(config)
    state = build_network(experiment).state_dict()
    path.parent.mkdir(parents=True)
    made_of = experiment.model_dump(mode="json")
    save_checkpoint(path, Checkpoint(made_of, PHASE, state, {}, {}, [], 1, []))
    return path


def write_trials(data_dir: Path, size: int) -> None:
    """Write trials of each utterance: half with the next ones, mostly of its speaker."""
    keys, speakers = zip(*iterate_table(data_dir / "utt2spk"), strict=True)
    rng = np.random.default_rng(0)
    with (data_dir / "trials").open("w") as file:
        for i in range(size):
            near = range(i + 1, i + 1 + TRIALS // 2)
            for other in (*near, *rng.integers(size, size=TRIALS - TRIALS // 2).tolist()):
                j = other % size
                kind = "target" if speakers[i] == speakers[j] else "nontarget"
                file.write(f"{keys[i]} {keys[j]} {kind}\n")


def measure(command: Sequence[str | Path], log: Path) -> dict[str, float]:
    """Run a command, and return its figures; its words go to `log`."""
    start, most = time.monotonic(), 0
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        most = max(most, sum(map(held_bytes, find_family(process.pid))))
        time.sleep(SAMPLED_S)
    process.returncode = os.waitstatus_to_exitcode(status)  # it is waited for
    if status:
        raise SystemExit(f"{command}: failed:\n{log.read_text()[-2000:]}")
    seconds = time.monotonic() - start, usage.ru_utime + usage.ru_stime
    figures = (*seconds, most / 1e6)
    return {name: round(figure, 1) for name, figure in zip(FIGURES, figures, strict=True)}


def find_family(pid: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from find_family(int(child))


def held_bytes(pid: int) -> int:
    """Return the memory of a process itself, of what several share its part."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return 0


def describe(rows: Sequence[dict]) -> str:
    """Return the table: seconds of processor time and memory of each size, and what one adds."""
    sizes = sorted({row["utterances"] for row in rows})
    heads = [f"{unit} {size // 1000}k" for unit in ("CPU s", "MB") for size in sizes]
    lines = ["| | " + " | ".join([*heads, "ms each", "bytes each"]) + " |"]
    lines.append("|---" * (len(heads) + 3) + "|")
    for stage in dict.fromkeys(row["stage"] for row in rows):
        found = {row["utterances"]: row for row in rows if row["stage"] == stage}
        cells = [
            f"{found[size][name]:.0f}" if size in found else ""
            for name in ("cpu_s", "memory_mb")
            for size in sizes
        ]
        added = ["", ""]
        for before, after in pairwise(size for size in sizes if size in found):
            grown = {name: found[after][name] - found[before][name] for name in FIGURES}
            more = after - before
            added = [f"{grown['cpu_s'] / more * 1e3:.2f}", f"{grown['memory_mb'] / more * 1e6:.0f}"]
        lines.append("| " + " | ".join([stage, *cells, *added]) + " |")
    return "\n".join(lines)


def draw(rows: Sequence[dict], path: Path) -> None:
    """Draw processor time and memory of each stage over the number of utterances."""
    matplotlib.rcParams["svg.hashsalt"] = "growth"  # the same bytes for the same figures
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for axis, name, title in zip(
        axes, ("cpu_s", "memory_mb"), ("processor time, s", "memory of all processes, MB"),
        strict=True,
    ):  # fmt: skip
        for stage in dict.fromkeys(row["stage"] for row in rows):
            points = sorted((row["utterances"], row[name]) for row in rows if row["stage"] == stage)
            style = "-" if stage[6:].isdigit() else ":"
            axis.plot(*zip(*points, strict=True), marker="o", linestyle=style, label=stage)
        axis.set(xscale="log", yscale="log", xlabel="utterances", title=title)
        axis.grid(alpha=0.3)
    axes[1].set_ylim(20, 5000)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
