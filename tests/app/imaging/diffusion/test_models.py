"""Which models there are, how they want to be run, and what is said when there is none."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.imaging.engines.diffusion.drawing import Drawing
from app.imaging.engines.diffusion.models import ModelShelf, require
from app.imaging.engines.diffusion.recipes import DEFAULTS
from app.imaging.engines.diffusion.service import GpuService
from app.jobs.ports import JobFailed
from knowledge.errors import InvalidInput
from tests.app.imaging.diffusion.pixels import difference


def test_folders_are_listed_with_the_default_first(models_dir: Path) -> None:
    assert ModelShelf(models_dir).names() == ["inpainter", "tiny", "tiny_xl"]
    assert ModelShelf(models_dir, default="tiny_xl").names() == ["tiny_xl", "inpainter", "tiny"]
    assert ModelShelf(models_dir, default="tiny_xl").find().family == "sdxl"


@pytest.mark.parametrize("folder", [None, Path("nowhere")])
def test_without_weights_it_says_what_to_do(folder: Path | None) -> None:
    with pytest.raises(JobFailed, match="Put a diffusers folder") as failed:
        ModelShelf(folder).find()
    assert failed.value.error_code == "image_model_missing"


def test_an_unknown_model_is_refused_with_the_names_there_are(models: ModelShelf) -> None:
    for name in ("sdxl", "../tiny", "loras", "nobody/nothing"):
        with pytest.raises(InvalidInput, match="tiny, inpainter, tiny_xl") as refused:
            models.find(name)
        assert refused.value.error_code == "image_model_unknown"


def test_a_hub_id_that_is_not_on_this_machine_is_said_to_be_so(tmp_path: Path) -> None:
    shelf = ModelShelf(tmp_path, default="nobody/nothing-of-the-kind", hub_cache=tmp_path / "cache")
    assert shelf.names() == ["nobody/nothing-of-the-kind"]
    with pytest.raises(JobFailed, match="hf download nobody/nothing-of-the-kind") as failed:
        shelf.find()
    assert failed.value.error_code == "image_model_missing"


async def test_a_hub_id_is_used_from_the_local_cache(
    models_dir: Path, tmp_path: Path, service: GpuService, drawing_of: Callable[..., Drawing]
) -> None:
    cached = tmp_path / "models--shop--tiny"
    shutil.copytree(models_dir / "tiny", cached / "snapshots" / "0a1b")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("0a1b")
    entry = ModelShelf(None, hub_ids=["shop/tiny"], hub_cache=tmp_path).find("shop/tiny")
    assert (entry.name, entry.family, entry.recipe.side) == ("shop/tiny", "sd", 64)
    drawn = await service.generate(replace(drawing_of(), model=entry))
    assert difference(drawn.pictures[0], (await service.generate(drawing_of())).pictures[0]) == 0


def test_a_recipe_beside_the_model_changes_what_it_names(models_dir: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models_dir / "tiny", tmp_path / "turbo")
    (folder / "copilot.json").write_text('{"scheduler": "lcm", "steps": 4, "guidance": 1}')
    recipe = ModelShelf(tmp_path).find("turbo").recipe
    assert (recipe.scheduler, recipe.steps, recipe.guidance) == ("lcm", 4, 1)
    assert recipe.buckets == DEFAULTS["sd"].buckets
    (folder / "copilot.json").unlink()
    assert ModelShelf(tmp_path).find("turbo").recipe == DEFAULTS["sd"]


@pytest.mark.parametrize(
    ("written", "reason"),
    [('{"stepps": 4}', "stepps"), ('{"buckets": [[100, 96]]}', "multiple of 8"), ("{", "JSON"), ("\xff", "UTF-8")],
)
def test_a_recipe_that_cannot_be_used_is_said_to_be_so(
    models_dir: Path, tmp_path: Path, written: str, reason: str
) -> None:
    folder = shutil.copytree(models_dir / "tiny", tmp_path / "turbo")
    (folder / "copilot.json").write_bytes(written.encode("latin-1"))
    with pytest.raises(JobFailed, match=reason) as failed:
        ModelShelf(tmp_path).find("turbo")
    assert failed.value.error_code == "image_recipe_invalid"


def test_another_kind_of_pipeline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "flux").mkdir()
    (tmp_path / "flux" / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(JobFailed, match="is a FluxPipeline") as failed:
        ModelShelf(tmp_path).find("flux")
    assert failed.value.error_code == "image_model_unsupported"


def test_a_model_for_inpainting_draws_nothing_from_words(models: ModelShelf) -> None:
    require(models.find("inpainter"), "inpaint")
    with pytest.raises(InvalidInput) as refused:
        require(models.find("inpainter"), "text_to_image")
    assert refused.value.error_code == "image_model_task"


@pytest.mark.parametrize("broken", ["missing", "cut", "pickle"])
async def test_weights_that_cannot_be_read_fail_the_job(
    models_dir: Path, tmp_path: Path, service: GpuService, drawing_of: Callable[..., Drawing], broken: str
) -> None:
    folder = shutil.copytree(models_dir / "tiny", tmp_path / f"weights-{broken}")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    if broken == "cut":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif broken == "pickle":
        weights.rename(weights.with_suffix(".bin"))
    else:
        weights.unlink()
    with pytest.raises(JobFailed, match="cannot be loaded") as failed:
        await service.generate(_of(tmp_path, drawing_of))
    assert failed.value.error_code == "image_model_unusable"


async def test_half_precision_files_alone_are_enough(
    models_dir: Path, tmp_path: Path, service: GpuService, drawing_of: Callable[..., Drawing]
) -> None:
    import torch
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(str(models_dir / "tiny"), dtype=torch.float16, safety_checker=None)
    pipe.save_pretrained(str(tmp_path / "half"), variant="fp16", safe_serialization=True)
    drawn = await service.generate(_of(tmp_path, drawing_of))
    assert drawn.pictures[0] is not None


def test_requests_handlers_and_the_service_import_without_torch() -> None:
    """The API process names prices with them."""
    code = (
        "import sys; import app.imaging.engines.diffusion.handlers;"
        "from app.imaging.engines.diffusion.service import GpuService; GpuService();"
        "print([name for name in ('torch', 'diffusers', 'transformers', 'peft') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_index_of_a_model_that_is_no_json_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    for text in ("{", "[]", json.dumps({"_class_name": "StableDiffusionPipeline"})):
        (tmp_path / "odd" / "model_index.json").write_text(text)
        with pytest.raises(JobFailed) as failed:
            ModelShelf(tmp_path).find("odd")
        assert failed.value.error_code == "image_model_unusable"


def _of(folder: Path, drawing_of: Callable[..., Drawing]) -> Drawing:
    """A drawing by the only model of a folder."""
    return replace(drawing_of(), model=ModelShelf(folder).find())
