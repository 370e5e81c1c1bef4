"""PLDA, and what goes before it, in the files of Kaldi's programs.

DIR/mean.vec       a float vector (dim,): what ivector-subtract-global-mean takes off
DIR/transform.mat  a float matrix (lda_dim, dim), of transform-vec; or with a further column, added
DIR/plda           <Plda> mean transform psi </Plda> (Plda::Write of ivector/plda.cc), double

Writes them in binary; reads binary and text, float and double.
"""

import math
import re
import struct
from pathlib import Path

import numpy as np
from kaldiio.matio import write_array

from deep_speaker.scoring.plda import Plda
from deep_speaker.scoring.transforms import Transform
from deep_speaker.system.files import replacing_directory, replacing_file

MEAN, MATRIX, PLDA = "mean.vec", "transform.mat", "plda"
BINARY = b"\0B"
BEGIN, END = "<Plda>", "</Plda>"
DTYPES = {"FV": "<f4", "DV": "<f8", "FM": "<f4", "DM": "<f8"}
RANKS = {"vector": 1, "matrix": 2}
ROUNDING = 1e-6  # by which ivector-adapt-plda may leave a psi below 0
Part = str | np.ndarray  # a token, or a vector or matrix


def write_plda(path: Path, plda: Plda) -> None:
    """Write PLDA as Kaldi's own programs do, in binary and double precision."""
    parts = [np.asarray(part, dtype="<f8") for part in plda]
    with replacing_file(path, "wb") as file:
        file.write(BINARY + f"{BEGIN} ".encode())
        for part in parts:
            sizes = b"".join(b"\4" + struct.pack("<i", size) for size in part.shape)
            file.write((b"DV " if part.ndim == 1 else b"DM ") + sizes + part.tobytes())
        file.write(f"{END} ".encode())


def read_plda(path: Path) -> Plda:
    """Read PLDA that this recipe or Kaldi wrote.

    Raises:
        ValueError: the file is missing, damaged, or of something else.
    """
    parts = _read_parts(path)
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    if [part for part in parts if isinstance(part, str)] != [BEGIN, END] or len(arrays) != 3:
        raise ValueError(f"{path}: no PLDA of Kaldi: expected {BEGIN} mean transform psi {END}")
    mean, transform, psi = arrays
    ranks = mean.ndim, transform.ndim, psi.ndim
    sizes = {*mean.shape, *transform.shape, *psi.shape}
    if ranks != (1, 2, 1) or len(sizes) > 1 or psi.min() < -ROUNDING:
        raise ValueError(
            f"{path}: damaged: mean {mean.shape}, transform {transform.shape}, psi {psi.shape}, "
            f"the least {psi.min():.4g}: expected one size, and no psi below 0"
        )
    return Plda(mean, transform, np.maximum(psi, 0))


def write_backend(folder: Path, transform: Transform, mean: np.ndarray) -> None:
    """Write a PLDA back end into a folder of its own.

    Args:
        transform: of PLDA; without a projection there is no transform.mat.
        mean: of the vectors it was fitted on, shape (dim,); projected it is `transform.centre`.
    """
    assert transform.plda is not None
    arrays = {MEAN: mean}
    if transform.projection is not None:
        arrays[MATRIX] = transform.projection.T
    with replacing_directory(folder) as partial:
        for name, array in arrays.items():
            with (partial / name).open("wb") as file:
                write_array(file, np.ascontiguousarray(array, dtype=np.float32))
        write_plda(partial / PLDA, transform.plda)


def read_backend(folder: Path, dim: int) -> Transform:
    """Read a PLDA back end, for vectors of `dim` dimensions, from the folder that holds `plda`.

    Without mean.vec nothing is taken off, without transform.mat nothing projected.

    Raises:
        ValueError: there is no `plda`; a file is damaged; or the sizes do not fit.
    """
    plda = read_plda(folder / PLDA)
    mean, size, offset = np.zeros(dim), dim, np.zeros(len(plda.mean))
    matrix = None
    if (folder / MEAN).exists():
        mean = _read_array(folder / MEAN, "vector")
    if (folder / MATRIX).exists():
        matrix = _read_array(folder / MATRIX, "matrix")
        size = len(matrix)
        if matrix.shape[1] == dim + 1 and size == len(offset):
            matrix, offset = matrix[:, :dim], matrix[:, dim]
    found = (len(mean), dim if matrix is None else matrix.shape[1], size)
    if found != (dim, dim, len(plda.mean)):
        raise ValueError(
            f"{folder}: {MEAN} of {found[0]} dimensions, {MATRIX} from {found[1]} to {found[2]}, "
            f"{PLDA} of {len(plda.mean)} do not fit x-vectors of {dim}: it is of another network"
        )
    if matrix is None:
        return Transform(centre=mean.astype(np.float32), plda=plda)
    centre = matrix @ mean - offset
    return Transform(matrix.T.astype(np.float32), centre.astype(np.float32), plda)


def _read_array(path: Path, kind: str) -> np.ndarray:
    """Read a file of one `vector` or `matrix`: float64."""
    parts = _read_parts(path)
    ranks = [part.ndim for part in parts if isinstance(part, np.ndarray)]
    if len(parts) != 1 or ranks != [RANKS[kind]]:
        raise ValueError(f"{path}: expected a {kind} of Kaldi, and nothing else")
    return np.asarray(parts[0])


def _read_parts(path: Path) -> list[Part]:
    """Return the tokens and arrays of a file, in order; arrays in float64.

    Raises:
        ValueError: the file is missing, cut short, not of Kaldi, or holds what is not finite.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; name the folder that holds {PLDA}")
    data = path.read_bytes()
    try:
        binary = data.startswith(BINARY)
        parts = _parse_binary(data[2:]) if binary else _parse_text(data.decode())
    except (ValueError, struct.error) as error:
        raise ValueError(f"{path}: damaged, or not of Kaldi: {error}") from error
    if not all(np.isfinite(part).all() for part in parts if isinstance(part, np.ndarray)):
        raise ValueError(f"{path}: holds values that are not finite: fit it anew")
    return parts


def _parse_binary(data: bytes) -> list[Part]:
    parts: list[Part] = []
    start = 0
    while start < len(data):
        token, space, _ = data[start : start + 16].partition(b" ")
        if not space:
            raise ValueError(f"no token at byte {start + 2}")
        start += len(token) + 1
        kind = token.decode("latin-1")
        if kind not in DTYPES:
            parts.append(kind)
            continue
        rank = "VM".index(kind[1]) + 1
        shape = struct.unpack_from("<" + "xi" * rank, data, start)
        if min(shape) < 1:
            raise ValueError(f"shape {shape} at byte {start + 2}")
        values = np.frombuffer(data, DTYPES[kind], math.prod(shape), start + 5 * rank)
        parts.append(values.reshape(shape).astype(np.float64))
        start += 5 * rank + values.nbytes
    return parts


def _parse_text(text: str) -> list[Part]:
    """Parse tokens, and numbers between brackets; a line end after the bracket makes a matrix."""
    parts: list[Part] = []
    for found in re.finditer(r"\[([^][]*)\]|(\S+)", text):
        body, token = found.groups()
        if token is not None:
            parts.append(token)
            continue
        rows = [line.split() for line in body.strip().splitlines()]
        array = np.array(rows, dtype=np.float64)
        if not array.size:
            raise ValueError("nothing between brackets")
        parts.append(array if body.lstrip(" ").startswith("\n") else array.ravel())
    return parts
