"""ivector/plda.cc of Kaldi, transcribed line by line: reading, scores, adaptation.

Slow and plain on purpose: loops and inverses where the recipe has matrix products. The names are
those of the C++ code.
"""

import io
import math
import struct
from dataclasses import dataclass

import numpy as np


def read_token(stream: io.BytesIO) -> str:
    """ReadToken in binary: up to the space, which is consumed."""
    token = b""
    while (char := stream.read(1)) != b" ":
        assert char, f"ReadToken: expected space after token {token!r}"
        token += char
    return token.decode()


def expect_token(stream: io.BytesIO, token: str) -> None:
    found = read_token(stream)
    assert found == token, f"Expected token {token}, got instead {found}"


def read_int32(stream: io.BytesIO) -> int:
    """ReadBasicType<int32>: a byte that tells the size of the type, then the number."""
    assert stream.read(1) == b"\4", "ReadBasicType: did not get expected integer type"
    return struct.unpack("<i", stream.read(4))[0]


def read_numbers(stream: io.BytesIO, real: str, count: int) -> np.ndarray:
    """Numbers of the type that the token names: F for float, D for double."""
    size = {"F": 4, "D": 8}[real]
    data = stream.read(count * size)
    assert len(data) == count * size, "truncated stream?"
    return np.array(struct.unpack(f"<{count}{'f' if real == 'F' else 'd'}", data))


def read_vector(stream: io.BytesIO) -> np.ndarray:
    token = read_token(stream)
    assert token in ("FV", "DV"), f"Expected token DV, got {token}"
    return read_numbers(stream, token[0], read_int32(stream))


def read_matrix(stream: io.BytesIO) -> np.ndarray:
    token = read_token(stream)
    assert token in ("FM", "DM"), f"Expected token DM, got {token}"
    rows, cols = read_int32(stream), read_int32(stream)
    return read_numbers(stream, token[0], rows * cols).reshape(rows, cols)


@dataclass
class Plda:
    """class Plda."""

    mean_: np.ndarray
    transform_: np.ndarray
    psi_: np.ndarray

    @classmethod
    def read(cls, data: bytes) -> "Plda":
        """ReadKaldiObject of a binary file, and Plda::Read; nothing may follow."""
        stream = io.BytesIO(data)
        assert stream.read(2) == b"\0B"
        expect_token(stream, "<Plda>")
        plda = cls(read_vector(stream), read_matrix(stream), read_vector(stream))
        expect_token(stream, "</Plda>")
        assert stream.read() == b""
        return plda

    def write(self) -> bytes:
        """WriteKaldiObject in binary, and Plda::Write."""
        stream = io.BytesIO()
        stream.write(b"\0B" + b"<Plda> ")
        stream.write(b"DV " + b"\4" + struct.pack("<i", len(self.mean_)))
        for value in self.mean_:
            stream.write(struct.pack("<d", value))
        rows, cols = self.transform_.shape
        stream.write(b"DM " + b"\4" + struct.pack("<i", rows) + b"\4" + struct.pack("<i", cols))
        for row in self.transform_:
            for value in row:
                stream.write(struct.pack("<d", value))
        stream.write(b"DV " + b"\4" + struct.pack("<i", len(self.psi_)))
        for value in self.psi_:
            stream.write(struct.pack("<d", value))
        stream.write(b"</Plda> ")
        return stream.getvalue()

    def write_text(self) -> str:
        """The same in text, of six digits as a C++ stream writes them."""

        def vector(values: np.ndarray) -> str:
            return " [ " + "".join(f"{value:.6g} " for value in values) + "]\n"

        rows = "".join(
            "\n  " + "".join(f"{value:.6g} " for value in row) for row in self.transform_
        )
        body = vector(self.mean_) + f" [{rows}]\n" + vector(self.psi_)
        return f"<Plda> {body}</Plda> "

    def dim(self) -> int:
        return len(self.mean_)

    def get_normalization_factor(self, transformed: np.ndarray, num_examples: int) -> float:
        dot_prod = 0.0
        for i in range(self.dim()):
            inv_covar = 1.0 / (self.psi_[i] + 1.0 / num_examples)
            dot_prod += inv_covar * transformed[i] ** 2
        return math.sqrt(self.dim() / dot_prod)

    def transform_ivector(self, ivector: np.ndarray, num_examples: int) -> np.ndarray:
        """TransformIvector with normalize-length=true, simple-length-normalization=false."""
        offset_ = -1.0 * self.transform_ @ self.mean_
        transformed = offset_ + self.transform_ @ ivector
        return transformed * self.get_normalization_factor(transformed, num_examples)

    def log_likelihood_ratio(self, train: np.ndarray, n: int, test: np.ndarray) -> float:
        log_2pi = math.log(2 * math.pi)
        given, without = log_2pi * self.dim(), log_2pi * self.dim()
        for i in range(self.dim()):
            mean = n * self.psi_[i] / (n * self.psi_[i] + 1.0) * train[i]
            variance = 1.0 + self.psi_[i] / (n * self.psi_[i] + 1.0)
            given += math.log(variance) + (test[i] - mean) ** 2 / variance
            variance = 1.0 + self.psi_[i]
            without += math.log(variance) + test[i] ** 2 / variance
        return -0.5 * given + 0.5 * without

    def score(self, train: np.ndarray, n: int, test: np.ndarray) -> float:
        """A score of ivector-plda-scoring --num-utts: a test counts as one utterance."""
        return self.log_likelihood_ratio(
            self.transform_ivector(train, n), n, self.transform_ivector(test, 1)
        )


def update_plda(
    plda: Plda,
    ivectors: np.ndarray,
    mean_diff_scale: float = 1.0,
    within_covar_scale: float = 0.3,
    between_covar_scale: float = 0.7,
) -> Plda:
    """PldaUnsupervisedAdaptor: AddStats of each ivector at weight 1, then UpdatePlda."""
    dim = plda.dim()
    tot_weight, mean, variance = 0.0, np.zeros(dim), np.zeros((dim, dim))
    for ivector in ivectors:
        tot_weight += 1.0
        mean += ivector
        variance += np.outer(ivector, ivector)
    mean = mean / tot_weight
    variance = variance / tot_weight - np.outer(mean, mean)
    mean_diff = mean - plda.mean_
    variance += mean_diff_scale * np.outer(mean_diff, mean_diff)

    transform_mod = plda.transform_.copy()
    for i in range(dim):
        transform_mod[i] *= 1.0 / math.sqrt(1.0 + plda.psi_[i])
    variance_proj = transform_mod @ variance @ transform_mod.T
    s, p = np.linalg.eigh(variance_proj)

    w, b = np.zeros((dim, dim)), np.zeros((dim, dim))
    for i in range(dim):
        w[i, i] = 1.0 / (1.0 + plda.psi_[i])
        b[i, i] = plda.psi_[i] / (1.0 + plda.psi_[i])
    wproj2mod, bproj2mod = p.T @ w @ p, p.T @ b @ p
    for i in range(dim):
        if s[i] > 1.0:
            excess_eig = s[i] - 1.0
            wproj2mod[i, i] += excess_eig * within_covar_scale
            bproj2mod[i, i] += excess_eig * between_covar_scale

    combined_trans = p.T @ transform_mod
    combined_trans_inv = np.linalg.inv(combined_trans)
    wmod = combined_trans_inv @ wproj2mod @ combined_trans_inv.T
    bmod = combined_trans_inv @ bproj2mod @ combined_trans_inv.T

    cinv = np.linalg.inv(np.linalg.cholesky(wmod))
    psi_new, q = np.linalg.eigh(cinv @ bmod @ cinv.T)
    order = np.argsort(-psi_new)
    return Plda(mean, q[:, order].T @ cinv, psi_new[order])
