"""Styles by name: they change the picture, go together, come off without a trace, and say what is wrong with them."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.imaging.engines.diffusion.drawing import Drawing
from app.imaging.engines.diffusion.loras import Lora, LoraShelf
from app.imaging.engines.diffusion.service import GpuService
from app.jobs.ports import JobFailed
from knowledge.errors import InvalidInput
from tests.app.imaging.diffusion.pixels import difference


def test_the_shelf_lists_styles_with_their_usual_weight(loras: LoraShelf) -> None:
    assert loras.names() == ["damaged", "foreign", "glaze", "matte"]
    assert [loras.find(name, family="sd").weight for name in ("glaze", "matte")] == [1.0, 0.5]


async def test_a_style_changes_the_picture_and_at_weight_0_it_is_the_bare_models(
    service: GpuService, loras: LoraShelf, drawing_of: Callable[..., Drawing]
) -> None:
    glaze = loras.find("glaze", family="sd")
    bare, styled, weightless, half, bare_again = [
        (await service.generate(drawing_of(loras=chosen))).pictures[0]
        for chosen in ((), ((glaze, 1.0),), ((glaze, 0.0),), ((glaze, 0.5),), ())
    ]
    assert difference(bare, styled) > 5
    assert difference(half, styled) > 2
    assert difference(bare, weightless) == 0
    assert difference(bare, bare_again) == 0


async def test_two_styles_go_together_in_any_order_and_neither_drops_the_other(
    service: GpuService, loras: LoraShelf, drawing_of: Callable[..., Drawing]
) -> None:
    glaze, matte = ((loras.find(name, family="sd"), 1.0) for name in ("glaze", "matte"))
    both, reversed_, first, second = [
        (await service.generate(drawing_of(loras=chosen))).pictures[0]
        for chosen in ((glaze, matte), (matte, glaze), (glaze,), (matte,))
    ]
    assert difference(both, reversed_) <= 1
    assert difference(both, first) > 5
    assert difference(both, second) > 5


async def test_jobs_with_and_without_a_style_at_once_do_not_share_it(
    service: GpuService, new_service: Callable[..., GpuService], loras: LoraShelf, drawing_of: Callable[..., Drawing]
) -> None:
    glaze = loras.find("glaze", family="sd")
    drawings = [drawing_of(seed=1), drawing_of(seeds=(1, 2), loras=((glaze, 1.0),)), drawing_of(seed=2)]
    bare, styled, other = await asyncio.gather(*map(new_service(company=2).generate, drawings))
    assert (bare.batch, styled.batch, other.batch) == (2, 2, 2)
    assert difference(styled.pictures[1], other.pictures[0]) > 5
    assert difference(bare.pictures[0], styled.pictures[0]) > 5
    assert difference(bare.pictures[0], (await service.generate(drawings[0])).pictures[0]) <= 1


def test_an_unknown_style_is_refused_with_the_names_there_are(loras: LoraShelf) -> None:
    with pytest.raises(InvalidInput, match="damaged, foreign, glaze, matte") as refused:
        loras.find("glace", family="sd")
    assert refused.value.error_code == "lora_unknown"
    with pytest.raises(InvalidInput, match="There are: none"):
        LoraShelf(None).find("glaze", family="sd")


async def test_a_style_of_another_architecture_is_refused_and_the_model_is_as_before(
    service: GpuService, loras: LoraShelf, drawing_of: Callable[..., Drawing]
) -> None:
    before = await service.generate(drawing_of())
    foreign = loras.find("foreign", family="sd")  # its header does not say what it is for
    for _ in range(2):
        with pytest.raises(InvalidInput, match="made for another kind of model") as refused:
            await service.generate(drawing_of(loras=((foreign, 1.0),)))
        assert (refused.value.error_code, refused.value.params) == ("lora_wrong_model", {"lora": "foreign"})
    assert difference(before.pictures[0], (await service.generate(drawing_of())).pictures[0]) == 0


async def test_a_style_of_an_sd_model_is_refused_by_an_sdxl_one(
    service: GpuService, loras: LoraShelf, drawing_of: Callable[..., Drawing]
) -> None:
    glaze = loras.find("glaze", family="sdxl")
    with pytest.raises(InvalidInput) as refused:
        await service.generate(drawing_of(model="tiny_xl", loras=((glaze, 1.0),)))
    assert refused.value.error_code == "lora_wrong_model"


@pytest.mark.usefixtures("gpu_extra")
@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        ({"unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight": (4, 2048)}, None),
        ({"lora_unet_mid_block.lora_down.weight": (4, 32)}, {"ss_base_model_version": "sdxl_base_v1-0"}),
        ({"x": (1,)}, {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}),
    ],
)
def test_a_header_that_says_sdxl_is_refused_for_sd_before_anything_is_loaded(
    tmp_path: Path, tensors: dict[str, tuple[int, ...]], metadata: dict[str, str] | None
) -> None:
    arrays = {name: np.zeros(shape, np.float32) for name, shape in tensors.items()}
    _save(arrays, tmp_path / "style.safetensors", metadata)
    assert LoraShelf(tmp_path).find("style", family="sdxl").base == "sdxl"
    with pytest.raises(InvalidInput) as refused:
        LoraShelf(tmp_path).find("style", family="sd")
    assert refused.value.error_code == "lora_wrong_model"


@pytest.mark.usefixtures("gpu_extra")
def test_what_the_owner_notes_beside_a_style_counts_most(tmp_path: Path) -> None:
    _save({"x": np.zeros(1, np.float32)}, tmp_path / "style.safetensors", {"ss_base_model_version": "sd_v1"})
    (tmp_path / "style.json").write_text(json.dumps({"base": "sdxl", "weight": 0.7}))
    lora = LoraShelf(tmp_path).find("style", family="sdxl")
    assert (lora.base, lora.weight) == ("sdxl", 0.7)


async def test_damaged_files_and_files_without_a_style_are_said_to_be_so(
    service: GpuService, loras: LoraShelf, drawing_of: Callable[..., Drawing], tmp_path: Path
) -> None:
    with pytest.raises(JobFailed) as refused:
        loras.find("damaged", family="sd")
    assert refused.value.error_code == "lora_unreadable"
    _save({"encoder.weight": np.zeros((2, 2), np.float32)}, tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "other.safetensors").read_bytes()[:-3])
    for name in ("other", "cut"):
        lora = Lora(name, tmp_path / f"{name}.safetensors", None, 1.0)
        with pytest.raises(JobFailed) as refused:
            await service.generate(drawing_of(loras=((lora, 1.0),)))
        assert refused.value.error_code == "lora_unreadable"


async def test_a_style_that_fits_only_in_part_leaves_nothing_behind(
    new_service: Callable[..., GpuService], loras: LoraShelf, drawing_of: Callable[..., Drawing], tmp_path: Path
) -> None:
    """Its UNet half fits and is loaded first; its text half does not."""
    service = new_service()
    bare = await service.generate(drawing_of())
    _save_text_lora(tmp_path / "half.safetensors", 48, beside=loras.find("glaze", family="sd").path)
    half = LoraShelf(tmp_path).find("half", family="sd")
    for _ in range(2):
        with pytest.raises(InvalidInput) as refused:
            await service.generate(drawing_of(loras=((half, 1.0),)))
        assert refused.value.error_code == "lora_wrong_model"
        assert difference(bare.pictures[0], (await service.generate(drawing_of())).pictures[0]) == 0


async def test_a_style_of_the_text_encoder_alone_works_alone_and_beside_others(
    new_service: Callable[..., GpuService], loras: LoraShelf, drawing_of: Callable[..., Drawing], tmp_path: Path
) -> None:
    service = new_service()
    _save_text_lora(tmp_path / "words.safetensors", 32)
    words = LoraShelf(tmp_path).find("words", family="sd")
    glaze = loras.find("glaze", family="sd")
    bare, worded, both, glazed, bare_again = [
        (await service.generate(drawing_of(loras=chosen))).pictures[0]
        for chosen in ((), ((words, 1.0),), ((words, 1.0), (glaze, 1.0)), ((glaze, 1.0),), ())
    ]
    assert difference(bare, worded) > 2
    assert difference(both, worded) > 2
    assert difference(both, glazed) > 2
    assert difference(bare, bare_again) == 0


def _save_text_lora(path: Path, width: int, beside: Path | None = None) -> None:
    from safetensors.numpy import load_file

    tensors = load_file(beside) if beside else {}
    layer = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"
    noise = np.random.default_rng(1)
    tensors[f"{layer}.lora_A.weight"] = noise.normal(size=(4, width)).astype(np.float32)
    tensors[f"{layer}.lora_B.weight"] = noise.normal(size=(width, 4)).astype(np.float32)
    _save(tensors, path)


def _save(tensors: Mapping[str, Any], path: Path, metadata: dict[str, str] | None = None) -> None:
    from safetensors.numpy import save_file  # of the gpu extra

    save_file(dict(tensors), path, metadata)
