"""Vectors of wordings: by the model that comes as a package, by a function, by a provider's API."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tokenizers import BertWordPieceTokenizer

from switchgear.cache.embedding import Embedder, by_callable, by_openai, mini_lm
from switchgear.errors import ConfigError

RESET, RESET_TOO, WEATHER = "How do I reset my password?", "Way to reset a password", "What is the weather?"


@pytest.fixture(scope="module")
def model() -> Embedder:
    return mini_lm()


@pytest.mark.parametrize(
    ("text", "begins"),
    # By the model's own tokenizer.json and a plain mean over the hidden states, computed apart from this package.
    [
        pytest.param("Reset the password of user 4711.", [-0.03599, 0.04516, -0.05077, -0.08576], id="plain"),
        pytest.param("Für Élodie: naïve café №7", [0.00603, 0.02441, 0.01802, 0.02764], id="accents"),
    ],
)
def test_a_vector_is_what_the_models_own_pipeline_gives(
    model: Embedder, text: str, begins: list[float]
) -> None:
    assert model([text])[0, :4].tolist() == pytest.approx(begins, abs=2e-4)


def test_each_vector_has_length_1_whatever_the_text(model: Embedder) -> None:
    rows = model(["", " ", "\u2028\x00", "a" * 500, "🙂" * 50, "[SEP] [MASK]", RESET])
    assert (rows.shape, rows.dtype) == ((7, model.dimensions), np.float32)
    assert np.linalg.norm(rows, axis=1).tolist() == pytest.approx([1.0] * 7, abs=1e-6)


def test_no_text_is_no_row(model: Embedder) -> None:
    assert model([]).shape == (0, 384)


def test_like_meanings_are_nearer_than_unlike_ones(model: Embedder) -> None:
    asked, same, other = model([RESET, RESET_TOO, WEATHER])
    assert asked @ same > 0.85 > 0.2 > asked @ other


def test_a_vector_does_not_depend_on_what_it_is_asked_with(model: Embedder) -> None:
    assert np.array_equal(model([RESET])[0], model([WEATHER, RESET, "x " * 100])[1])


def test_the_end_of_a_long_text_counts(model: Embedder) -> None:
    text = "the quick brown fox jumps over the lazy dog " * 40  # 360 words: two windows of 254 tokens
    first, second = model([text + "refund the order", text + "delete the account"])
    assert first @ second < 0.9999


def test_the_name_says_which_file_the_weights_are(model: Embedder) -> None:
    assert model.name == "all-MiniLM-L6-v2-int8/8199be6f699a"


def test_the_vocabulary_is_that_of_bert_uncased() -> None:
    from switchgear.cache.embedding import _tokenizer

    tokenizer: BertWordPieceTokenizer = _tokenizer()
    encoded = tokenizer.encode("Für Élodie: naïve café №7")
    assert encoded.ids == [101, 6519, 3449, 7716, 2666, 1024, 15743, 7668, 1578, 2581, 102]
    assert tokenizer.get_vocab_size() == 30_522


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from switchgear.cache import embedding

    monkeypatch.setattr(embedding, "_NEEDED", ("onnxruntime", "a_package_that_nobody_has"))
    with pytest.raises(ConfigError, match=r"a_package_that_nobody_has.*pip install 'switchgear\[cache\]'"):
        mini_lm()


def test_nothing_is_loaded_before_the_first_text() -> None:
    program = (
        "import sys; from switchgear.cache.embedding import mini_lm; mini_lm(); "
        "print(sorted({'onnxruntime', 'tokenizers'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def lengths(texts: Sequence[str]) -> list[list[float]]:
    return [[float(len(text)), 1.0] for text in texts]


def test_a_function_of_ones_own_is_brought_to_length_1() -> None:
    embedder = by_callable("lengths/1", lengths)
    assert embedder.name == "lengths/1"
    assert embedder(["", "abc"])[0].tolist() == [0.0, 1.0]
    assert embedder(["", "abc"])[1].tolist() == pytest.approx([3 / 10**0.5, 1 / 10**0.5])


def test_a_functions_dimensions_are_known_before_its_first_text() -> None:
    assert by_callable("lengths/1", lengths).dimensions == 2


@pytest.mark.parametrize(
    ("function", "said"),
    [
        pytest.param(lambda texts: [[1.0]] * (len(texts) + 1), r"shape \(2, 1\) for 1 texts", id="too many"),
        pytest.param(lambda texts: [1.0], r"shape \(1,\) for 1 texts", id="no rows"),
        pytest.param(lambda texts: [[] for _ in texts], r"shape \(1, 0\)", id="no numbers"),
        pytest.param(lambda texts: [[0.0, 0.0] for _ in texts], "without a direction", id="no length"),
        pytest.param(lambda texts: [[float("nan")] for _ in texts], "without a direction", id="not a number"),
    ],
)
def test_what_is_no_vector_for_each_text_is_refused(function: Callable[..., Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"embedder mine/2: .*{said}"):
        by_callable("mine/2", function)(["text"])


def test_a_function_that_changes_its_dimensions_is_refused() -> None:
    embedder = by_callable("mine/2", lambda texts: [[1.0] * len(texts[0])])
    embedder(["abc"])
    with pytest.raises(ValueError, match=r"shape \(1, 4\)"):
        embedder(["abcd"])


class Embeddings:
    """Answers as OpenAI's SDK does, the last text first."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def create(self, **request: Any) -> Any:
        self.asked.append(request)
        rows = [
            SimpleNamespace(index=place, embedding=[float(len(text)), 0.0])
            for place, text in enumerate(request["input"])
        ]
        return SimpleNamespace(data=rows[::-1])


@pytest.mark.parametrize(
    ("dimensions", "name", "said"),
    [
        pytest.param(None, "openai/text-embedding-3-small", {}, id="the model's"),
        pytest.param(2, "openai/text-embedding-3-small/2", {"dimensions": 2}, id="fewer"),
    ],
)
def test_a_providers_api_is_asked_through_its_client(
    dimensions: int | None, name: str, said: dict[str, int]
) -> None:
    embeddings = Embeddings()
    client = SimpleNamespace(embeddings=embeddings)
    embedder = by_openai(client, "text-embedding-3-small", dimensions)
    assert embedder(("a", "bcd")).tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert embedder.name == name
    asked = {"model": "text-embedding-3-small", "input": ["a", "bcd"], "encoding_format": "float"}
    assert embeddings.asked == [asked | said]
