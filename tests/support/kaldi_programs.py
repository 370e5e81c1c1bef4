"""Stand in for the programs of Kaldi that local/kaldi_plda.sh runs.

Each takes exactly the words that Kaldi's own takes, reads and writes binary archives, and leaves
names without a vector out with a warning, as those do. LDA keeps the first dimensions, and PLDA's
score is the number of enrolled utterances times the dot product: what a test can compute. The
environment's FAILING names one that fails. Packages would make each start ten times slower.
"""

import os
import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

Vectors = dict[str, list[float]]


def parse(words: Iterable[str], count: int, **options: str) -> tuple[list[str], dict[str, str]]:
    """Return arguments and options; stop at another number of them, or an unknown option."""
    arguments = []
    for word in words:
        name, _, value = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            arguments.append(word)
        elif name.replace("-", "_") in options:
            options[name.replace("-", "_")] = value
        else:
            sys.exit(f"ERROR (Read()) Invalid option {word}")
    if len(arguments) != count:
        sys.exit(f"ERROR (main()) expected {count} arguments, got {arguments}")
    return arguments, options


def read_vector(file: BinaryIO) -> list[float]:
    assert file.read(6) == b"\0BFV \4"
    (size,) = struct.unpack("<i", file.read(4))
    return array("f", file.read(4 * size)).tolist()


def read_vectors(specifier: str) -> Vectors:
    kind, _, name = specifier.partition(":")
    if kind == "scp":
        return dict(iterate_scp(Path(name)))
    assert kind == "ark"
    with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
        return dict(iterate_ark(file))


def iterate_scp(path: Path) -> Iterator[tuple[str, list[float]]]:
    for line in path.read_text().splitlines():
        key, place = line.split(" ", 1)
        archive, offset = place.rsplit(":", 1)
        with Path(archive).open("rb") as file:
            file.seek(int(offset))
            yield key, read_vector(file)


def iterate_ark(file: BinaryIO) -> Iterator[tuple[str, list[float]]]:
    while key := b"".join(iter(lambda: file.read(1).strip(), b"")):
        yield key.decode(), read_vector(file)


def read_table(specifier: str) -> dict[str, list[str]]:
    kind, _, name = specifier.partition(":")
    assert kind == "ark"
    return {row[0]: row[1:] for row in read_rows(name)}


def write_vectors(specifier: str, vectors: Mapping[str, list[float]]) -> None:
    kind, _, name = specifier.partition(":")
    assert kind == "ark"
    with sys.stdout.buffer if name == "-" else Path(name).open("wb") as file:
        for key, vector in vectors.items():
            head = struct.pack("<i", len(vector))
            file.write(key.encode() + b" \0BFV \4" + head + array("f", vector).tobytes())


def average(vectors: list[list[float]]) -> list[float]:
    return [sum(column) / len(vectors) for column in zip(*vectors, strict=True)]


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def ivector_mean(*words: str) -> None:
    if len(words) == 2:
        mean = average(list(read_vectors(words[0]).values()))
        Path(words[1]).write_text(f" [ {' '.join(map(str, mean))} ]\n")
        return
    (groups, source, target, counts), _ = parse(words, 4)
    vectors = read_vectors(source)
    members = {key: [vectors[name] for name in row] for key, row in read_table(groups).items()}
    write_vectors(target, {key: average(rows) for key, rows in members.items()})
    assert counts.startswith("ark,t:")
    lines = [f"{key} {len(rows)}\n" for key, rows in members.items()]
    Path(counts.removeprefix("ark,t:")).write_text("".join(lines))


def subtract_mean(*words: str) -> None:
    (mean_file, source, target), _ = parse(words, 3)
    mean = [float(word) for word in Path(mean_file).read_text().split()[1:-1]]
    shifted = {
        key: [x - m for x, m in zip(vector, mean, strict=True)]
        for key, vector in read_vectors(source).items()
    }
    write_vectors(target, shifted)


def normalize_length(*words: str) -> None:
    (source, target), options = parse(words, 2, scaleup="true")
    normal = {}
    for key, vector in read_vectors(source).items():
        length = dot(vector, vector) ** 0.5
        scale = (len(vector) ** 0.5 if options["scaleup"] == "true" else 1) / length
        normal[key] = [x * scale for x in vector]
    write_vectors(target, normal)


def compute_lda(*words: str) -> None:
    (source, utt2spk, target), options = parse(words, 3, dim="100", total_covariance_factor="")
    assert options["total_covariance_factor"] == "0.0"
    vectors = read_vectors(source)
    assert vectors.keys() == read_table(utt2spk).keys()
    Path(target).write_text(options["dim"])


def transform_vec(*words: str) -> None:
    (matrix, source, target), _ = parse(words, 3)
    dim = int(Path(matrix).read_text())
    write_vectors(target, {key: vector[:dim] for key, vector in read_vectors(source).items()})


def compute_plda(*words: str) -> None:
    """Note whose utterances have a vector: those it would be fitted on."""
    (spk2utt, source, target), _ = parse(words, 3)
    vectors = read_vectors(source)
    known = [name for row in read_table(spk2utt).values() for name in row if name in vectors]
    Path(target).write_text("".join(f"{name}\n" for name in known))


def plda_scoring(*words: str) -> None:
    arguments, options = parse(words, 5, normalize_length="", num_utts="")
    plda, enroll, test, trials, target = arguments
    assert options["normalize_length"] == "true"
    assert Path(plda).is_file()
    counts = {key: int(row[0]) for key, row in read_table(options["num_utts"]).items()}
    enrolled = {
        key: [counts[key] * x for x in vector] for key, vector in read_vectors(enroll).items()
    }
    write_scores(enrolled, read_vectors(test), trials, target)


def dot_products(*words: str) -> None:
    (trials, first, second, target), _ = parse(words, 4)
    write_scores(read_vectors(first), read_vectors(second), trials, target)


def write_scores(enroll: Vectors, test: Vectors, trials: str, target: str) -> None:
    with Path(target).open("w") as file:
        for a, b in read_rows(trials):
            if a in enroll and b in test:
                file.write(f"{a} {b} {dot(enroll[a], test[b]):.7g}\n")
            else:
                lost = b if a in enroll else a
                print(f"WARNING (main()) Key {lost} not present in ivectors.", file=sys.stderr)


def read_rows(name: str) -> list[list[str]]:
    return [line.split() for line in Path(name).read_text().splitlines()]


def prepare_for_eer(*words: str) -> None:
    (trials, scores), _ = parse(words, 2)
    label = {(a, b): label for a, b, label in read_rows(trials)}
    for a, b, score in read_rows(scores):
        print(score, label[a, b])


def compute_eer(*words: str) -> None:
    """Print the EER in per cent, by the steps of Kaldi's compute-eer.cc."""
    assert words == ("-",)
    rows = [line.split() for line in sys.stdin]
    target, nontarget = (
        sorted(float(score) for score, label in rows if label == kind)
        for kind in ("target", "nontarget")
    )
    place = 0
    while place + 1 < len(target):
        rejected = int(len(nontarget) * place / len(target))
        if nontarget[max(0, len(nontarget) - 1 - rejected)] < target[place]:
            break
        place += 1
    print(f"{100 * place / len(target):.4g}", end="")


def compute_min_dcf(*words: str) -> None:
    assert words[:2] == ("--p-target", "0.01")
    (scores, trials), _ = parse(words[2:], 2)
    assert [row[:2] for row in read_rows(scores)] == [row[:2] for row in read_rows(trials)]
    print("0.1234")


# By the folder of Kaldi they lie in.
PROGRAMS: dict[str, Callable[..., None]] = {
    "src/ivectorbin/ivector-mean": ivector_mean,
    "src/ivectorbin/ivector-subtract-global-mean": subtract_mean,
    "src/ivectorbin/ivector-normalize-length": normalize_length,
    "src/ivectorbin/ivector-compute-lda": compute_lda,
    "src/ivectorbin/ivector-compute-plda": compute_plda,
    "src/ivectorbin/ivector-plda-scoring": plda_scoring,
    "src/ivectorbin/ivector-compute-dot-products": dot_products,
    "src/ivectorbin/compute-eer": compute_eer,
    "src/bin/transform-vec": transform_vec,
    "egs/voxceleb/v1/local/prepare_for_eer.py": prepare_for_eer,
    "egs/sre08/v1/sid/compute_min_dcf.py": compute_min_dcf,
}


def install_programs(root: Path) -> Path:
    """Make a KALDI_ROOT of all programs."""
    for name in PROGRAMS:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\nexec '{sys.executable}' -IS '{__file__}' {name} \"$@\"\n")
        path.chmod(0o755)
    return root


if __name__ == "__main__":
    _, name, *words = sys.argv
    print(name, *words, file=sys.stderr)
    if Path(name).name == os.environ.get("FAILING"):
        sys.exit(f"LOG (main()) So far so good\nERROR ({Path(name).name}[5.5]:main()) No good")
    PROGRAMS[name](*words)
