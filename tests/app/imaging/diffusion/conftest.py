"""Tiny pipelines with random weights, built once: real diffusers, real files, a second a picture at most."""

import json
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from app.imaging.engines.diffusion.drawing import Drawing
from app.imaging.engines.diffusion.loras import LoraShelf
from app.imaging.engines.diffusion.models import ModelShelf
from app.imaging.engines.diffusion.service import GpuService

HERE = Path(__file__).parent
# Said by the libraries about themselves, in versions that we pin.
REMARKS = [
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",  # diffusers with numpy 2.4
    "ignore:Already found a `peft_config` attribute:UserWarning",  # peft, for every second style
    "ignore:Adapter .* was active which is now deleted:UserWarning",  # peft, after a style that does not fit
]
LEFT_OUT = "the gpu extra (torch, diffusers) is left out"
SMALL = {"buckets": [], "side": 64, "steps": 4, "guidance": 3.0}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for remark in REMARKS if HERE in item.path.parents else ():
            item.add_marker(pytest.mark.filterwarnings(remark))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """One line in the summary for all that the missing extra skips, not one a test."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and LEFT_OUT in report.longrepr[2]:
        report.longrepr = (str(HERE), 1, LEFT_OUT)
    return report


@pytest.fixture(scope="session")
def gpu_extra() -> None:
    """For what needs torch."""
    if find_spec("torch") is None or find_spec("diffusers") is None:
        pytest.skip(LEFT_OUT)


@pytest.fixture(scope="session")
def models_dir(gpu_extra: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``tiny`` and ``tiny_xl``, ``inpainter`` (9 channels), and four files in ``loras``."""
    import torch

    from app.imaging.engines.diffusion.loading import quiet
    from evals.bench.random_pipelines import build, save

    quiet()
    torch.set_num_threads(1)  # two spinning threads on busy cores are 5–10 times slower than one
    folder = tmp_path_factory.mktemp("models")
    for name, pipe in {
        "tiny": build("tiny"),
        "tiny_xl": build("tiny_xl"),
        "inpainter": build("tiny", channels=9),
    }.items():
        pipe.vae.register_to_config(force_upcast=False)
        (save(pipe, folder / name) / "copilot.json").write_text(json.dumps(SMALL))
    loras = folder / "loras"
    _save_lora(loras, "glaze", width=32, seed=1)
    _save_lora(loras, "matte", width=32, seed=2)
    _save_lora(loras, "foreign", width=48, seed=3)
    (loras / "matte.json").write_text('{"weight": 0.5, "words": "matte"}')
    (loras / "damaged.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0not json at all!")
    return folder


@pytest.fixture(scope="session")
def models(models_dir: Path) -> ModelShelf:
    return ModelShelf(models_dir, default="tiny")


@pytest.fixture(scope="session")
def loras(models_dir: Path) -> LoraShelf:
    return LoraShelf(models_dir / "loras")


@pytest.fixture(scope="session")
def service(models: ModelShelf) -> Iterator[GpuService]:
    """Shared, so that a model is loaded once. It waits for no company."""
    service = GpuService(device="cpu", threads=1, window_s=0)
    yield service
    service.close()


@pytest.fixture
def new_service() -> Iterator[Callable[..., GpuService]]:
    """A service of the test's own. ``company``: how many rows it waits for before it draws them together; not a
    matter of time, because the cores are few and busy."""
    made: list[GpuService] = []

    def make(company: int | None = None, **options: Any) -> GpuService:
        batch: dict[str, Any] = {"window_s": 0} if company is None else {"window_s": 60, "max_batch": company}
        made.append(GpuService(device="cpu", threads=1, **(batch | options)))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture(scope="session")
def drawing_of(models: ModelShelf) -> Callable[..., Drawing]:
    """A drawing of 64×64 in 4 steps, with changes."""

    def make(prompt: str = "a red cup", seed: int = 1, *, model: str = "tiny", **changes: Any) -> Drawing:
        plain: dict[str, Any] = {"task": "text_to_image", "width": 64, "height": 64, "steps": 4, "guidance": 3.0}
        plain |= {"scheduler": "dpm++", "seeds": (seed,)}
        return Drawing(model=models.find(model), prompt=prompt, **(plain | changes))

    return make


def _save_lora(folder: Path, name: str, *, width: int, seed: int) -> None:
    """A LoRA with random weights for a tiny UNet whose text is ``width`` wide, as diffusers writes it."""
    import torch
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    from evals.bench.random_pipelines import build

    unet = UNet2DConditionModel.from_config({**build("tiny").unet.config, "cross_attention_dim": width})
    torch.manual_seed(seed)
    targets = ["to_q", "to_k", "to_v", "to_out.0"]
    unet.add_adapter(LoraConfig(r=4, lora_alpha=4, init_lora_weights=False, target_modules=targets))
    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
    StableDiffusionPipeline.save_lora_weights(str(folder), layers, weight_name=f"{name}.safetensors")
