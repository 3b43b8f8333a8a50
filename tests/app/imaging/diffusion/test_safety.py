"""What the safety checker finds is a failed job, not a black picture."""

import shutil
from pathlib import Path

import pytest

from app.imaging.engines.diffusion.engine import DiffusionEngine
from app.imaging.engines.diffusion.handlers import TextToImageHandler
from app.imaging.engines.diffusion.loras import LoraShelf
from app.imaging.engines.diffusion.models import ModelShelf
from app.imaging.engines.diffusion.requests import TextToImage
from app.imaging.engines.diffusion.service import GpuService
from app.jobs.ports import JobFailed
from app.jobs.working import MemoryWork


@pytest.fixture(scope="module")
def screened_models(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelShelf:
    """``strict`` finds something in every picture, ``easy`` in none: the real checker, with thresholds to match."""
    folder = tmp_path_factory.mktemp("screened")
    for name, threshold in (("strict", -2.0), ("easy", 2.0)):
        shutil.copytree(models_dir / "tiny", folder / name)
        _add_checker(folder / name, threshold)
    return ModelShelf(folder)


async def test_a_hit_fails_the_job(screened_models: ModelShelf, service: GpuService) -> None:
    handler = TextToImageHandler(DiffusionEngine(screened_models, LoraShelf(), service))
    with pytest.raises(JobFailed, match="safety checker") as failed:
        await handler.run(TextToImage(prompt="a cup", model="strict", width=64, height=64, count=2), MemoryWork())
    assert failed.value.error_code == "image_unsafe"


async def test_without_a_hit_the_picture_comes_and_nothing_is_said(
    screened_models: ModelShelf, service: GpuService
) -> None:
    handler = TextToImageHandler(DiffusionEngine(screened_models, LoraShelf(), service))
    outcome = await handler.run(TextToImage(prompt="a cup", model="easy", width=64, height=64), MemoryWork())
    assert len(outcome.artifacts) == 1
    assert outcome.result["notes"] == []


def _add_checker(folder: Path, threshold: float) -> None:
    """A hit is a cosine (−1…1) above the threshold."""
    import torch
    from diffusers import StableDiffusionPipeline
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tower = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        vision_config=tower | {"image_size": 224, "patch_size": 112, "projection_dim": 8},
        text_config=tower | {"projection_dim": 8, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1},
        projection_dim=8,
    )
    checker = StableDiffusionSafetyChecker(config)
    with torch.no_grad():
        checker.concept_embeds.normal_()
        checker.special_care_embeds.normal_()
        checker.concept_embeds_weights.fill_(threshold)
        checker.special_care_embeds_weights.fill_(threshold)
    pipe = StableDiffusionPipeline.from_pretrained(str(folder), local_files_only=True)
    pipe.register_modules(safety_checker=checker, feature_extractor=CLIPImageProcessorPil())
    pipe.save_pretrained(str(folder), safe_serialization=True)
