"""A model of sentence-transformers: what it is called, its prompts, and what an operator reads when it is none."""

from pathlib import Path

import numpy as np
import pytest

from knowledge.embeddings.sentence_transformers import SentenceTransformersEmbedder
from knowledge.errors import InvalidInput
from knowledge.ports import Vector
from knowledge.settings import KnowledgeSettings
from knowledge.torch_models import require_extra
from knowledge.wiring import make_embedder
from tests.contracts.tiny_models import gpu_extra, tiny_cross_encoder, tiny_embedder

TEXT = "签收后七天内可以申请无理由退货"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    gpu_extra()
    return tiny_embedder(tmp_path_factory.mktemp("models") / "Tiny Model_1")


def embedder(folder: Path | str, **options: object) -> SentenceTransformersEmbedder:
    return SentenceTransformersEmbedder(str(folder), **{"device": "cpu", **options})  # type: ignore[arg-type]


def cosine(one: Vector, other: Vector) -> float:
    return float(one @ other)


def test_its_id_names_the_weights_and_the_precision_and_its_size_is_its_own(folder: Path, tmp_path: Path) -> None:
    first, again = embedder(folder), embedder(folder)
    assert first.dimensions == 32
    assert first.model_id == again.model_id
    assert first.model_id.startswith("tiny-model-1-")
    assert first.model_id.endswith("-fp32")
    assert embedder(folder, precision="bf16").model_id == first.model_id.replace("fp32", "bf16")
    other = tiny_embedder(tmp_path / "Tiny Model_1", seed=1)
    assert embedder(other).model_id not in (first.model_id, "")


def test_questions_and_passages_begin_as_the_model_says_unless_it_is_overridden(folder: Path) -> None:
    own, none = embedder(folder), embedder(folder, query_prompt="", passage_prompt="")
    assert cosine(own.embed_query(TEXT), none.embed_query(f"query: {TEXT}")) == pytest.approx(1, abs=1e-5)
    assert cosine(own.embed_passages([TEXT])[0], none.embed_passages([f"passage: {TEXT}"])[0]) == pytest.approx(1)
    assert cosine(own.embed_query(TEXT), none.embed_query(TEXT)) < 0.999
    assert own.model_id != none.model_id


def test_vectors_may_be_shortened_and_are_another_model_then(folder: Path) -> None:
    short = embedder(folder, dimensions=16)
    assert short.dimensions == 16
    assert short.embed_passages([TEXT, ""]).shape == (2, 16)
    assert np.linalg.norm(short.embed_query(TEXT)) == pytest.approx(1)
    assert short.model_id.endswith("-fp32-16")


def test_half_precision_says_nearly_the_same(folder: Path) -> None:
    assert cosine(embedder(folder).embed_query(TEXT), embedder(folder, precision="bf16").embed_query(TEXT)) > 0.99


def test_a_text_longer_than_the_window_is_cut_and_long_ones_do_not_disturb_short_ones(folder: Path) -> None:
    texts = ["退货" * 4000, TEXT, "退", "退货" * 4000]
    together = embedder(folder).embed_passages(texts)
    assert cosine(together[1], embedder(folder).embed_passages([TEXT])[0]) == pytest.approx(1, abs=1e-5)
    assert cosine(together[0], together[3]) == pytest.approx(1, abs=1e-5)


def refusal(folder: Path | str, **options: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        embedder(folder, **options)
    return refused.value


def test_what_is_no_model_is_refused_with_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    absent = refusal(tmp_path / "absent")
    assert (absent.error_code, absent.params["reason"]) == ("model_folder_unusable", "there is no such folder")
    assert refusal(tmp_path).params["reason"] == "it has no modules.json"
    assert refusal(tiny_cross_encoder(tmp_path / "cross")).params["reason"] == "it has no modules.json"
    torn = tiny_embedder(tmp_path / "torn")
    (torn / "model.safetensors").write_bytes(b"\x10" * 100)
    assert refusal(torn).error_code == "model_folder_unusable"
    (torn / "model.safetensors").unlink()
    assert refusal(torn).params["reason"] == "it has no safetensors weights"


def test_a_name_that_no_hub_can_be_asked_for_says_how_to_fetch_it() -> None:
    gpu_extra()
    assert refusal("nobody/nothing@main").error_code == "model_not_fetched"


def test_cuda_that_is_not_there_is_said(folder: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert refusal(folder, device="cuda").error_code == "cuda_missing"


def test_the_settings_choose_it(folder: Path) -> None:
    told = {"embedder": "sentence_transformers", "embedding_device": "cpu", "embedding_query_prompt": "ask: "}
    with pytest.raises(InvalidInput) as half:
        make_embedder(KnowledgeSettings(_env_file=None, **told))  # type: ignore[call-arg, arg-type]
    assert half.value.error_code == "setting_missing"
    made = make_embedder(KnowledgeSettings(_env_file=None, **told, embedding_model=str(folder)))  # type: ignore[call-arg, arg-type]
    assert made.model_id == embedder(folder, query_prompt="ask: ").model_id


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.torch_models.find_spec", lambda _: None)
    with pytest.raises(InvalidInput, match="make gpu") as refused:
        require_extra("COPILOT_EMBEDDER")
    assert refused.value.error_code == "gpu_extra_missing"
