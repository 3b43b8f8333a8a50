"""Diffusion pipelines with random weights: the true shapes for speed, tiny ones for tests. They draw noise.

The tokenizer spells every word byte by byte, so no vocabulary has to be fetched.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

ShapeName: TypeAlias = Literal["tiny", "tiny_xl", "sd15", "sdxl"]
PAIRS = 256
START, END = 2 * PAIRS, 2 * PAIRS + 1
TEXT_WINDOW = 77


@dataclass(frozen=True, slots=True)
class Text:
    """A CLIP text encoder: ``projected`` is the second one of SDXL."""

    width: int
    layers: int
    heads: int
    projected: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """``blocks``: the UNet's channels by depth; ``depths``: transformer layers in each (0: none)."""

    xl: bool
    blocks: tuple[int, ...]
    depths: tuple[int, ...]
    heads: int | tuple[int, ...]
    layers: int
    cross: int
    vae: tuple[int, ...]
    vae_layers: int
    groups: int
    latent_side: int
    text: tuple[Text, ...]


# sd15 and sdxl are the published configurations of those models, with a vocabulary of bytes. Four VAE blocks make one
# latent cell 8 pixels wide; with the two that some small fixtures have, latents are 16 times as many.
SHAPES: dict[ShapeName, Shape] = {
    "tiny": Shape(False, (32, 64), (0, 1), 4, 1, 32, (8, 16, 16, 16), 1, 8, 8, (Text(32, 3, 4),)),
    "tiny_xl": Shape(
        True, (32, 64), (0, 1), 4, 1, 64, (8, 16, 16, 16), 1, 8, 8, (Text(32, 3, 4), Text(32, 3, 4, projected=True))
    ),
    "sd15": Shape(
        False, (320, 640, 1280, 1280), (1, 1, 1, 0), 8, 2, 768, (128, 256, 512, 512), 2, 32, 64, (Text(768, 12, 12),)
    ),
    "sdxl": Shape(
        True,
        (320, 640, 1280),
        (0, 2, 10),
        (5, 10, 20),
        2,
        2048,
        (128, 256, 512, 512),
        2,
        32,
        128,
        (Text(768, 12, 12), Text(1280, 32, 20, projected=True)),
    ),
}


def build(name: ShapeName, *, seed: int = 0, device: str = "cpu", dtype: Any = None, channels: int = 4) -> Any:
    """A text-to-image pipeline, made on the device; ``channels`` 9 is a model for inpainting."""
    import torch
    from diffusers import StableDiffusionInpaintPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline

    shape = SHAPES[name]
    torch.manual_seed(seed)
    with torch.device(device):
        parts = {"unet": _unet(shape, channels), "vae": _vae(shape), "text_encoder": _text(shape.text[0])}
        if shape.xl:
            parts["text_encoder_2"] = _text(shape.text[1])
    for part in parts.values():
        part.to(device=device, **({} if dtype is None else {"dtype": dtype})).eval()
    parts |= {"tokenizer": _tokenizer(), "scheduler": _scheduler()}
    if shape.xl:
        return StableDiffusionXLPipeline(**parts, tokenizer_2=_tokenizer(), add_watermarker=False)
    kind = StableDiffusionPipeline if channels == 4 else StableDiffusionInpaintPipeline
    return kind(**parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False)


def save(pipe: Any, folder: Path) -> Path:
    """As a diffusers folder with safetensors weights."""
    pipe.save_pretrained(str(folder), safe_serialization=True)
    return folder


def _unet(shape: Shape, channels: int) -> Any:
    from diffusers import UNet2DConditionModel

    crossed = ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in shape.depths]
    rising = ["CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in reversed(shape.depths)]
    more: dict[str, Any] = {}
    if shape.xl:  # six numbers about size and crop, 256 channels each in the true one, beside the pooled text
        each = 256 if shape.cross > 100 else 8
        more = {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": each,
            "projection_class_embeddings_input_dim": 6 * each + shape.text[1].width,
            "use_linear_projection": True,
        }
    return UNet2DConditionModel(
        sample_size=shape.latent_side,
        in_channels=channels,
        block_out_channels=shape.blocks,
        layers_per_block=shape.layers,
        cross_attention_dim=shape.cross,
        attention_head_dim=shape.heads,
        norm_num_groups=min(shape.groups * 2, 32),
        transformer_layers_per_block=tuple(max(depth, 1) for depth in shape.depths),
        down_block_types=tuple(crossed),
        up_block_types=tuple(rising),
        **more,
    )


def _vae(shape: Shape) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=shape.vae,
        layers_per_block=shape.vae_layers,
        norm_num_groups=shape.groups,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=shape.latent_side * 8,
        scaling_factor=0.13025 if shape.xl else 0.18215,
    )


def _text(text: Text) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=END + 1,
        hidden_size=text.width,
        intermediate_size=text.width * 4,
        num_hidden_layers=text.layers,
        num_attention_heads=text.heads,
        projection_dim=text.width,
        max_position_embeddings=TEXT_WINDOW,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=END,
    )
    return CLIPTextModelWithProjection(config) if text.projected else CLIPTextModel(config)


def _tokenizer() -> Any:
    from transformers import CLIPTokenizer

    letters = _byte_letters()
    symbols = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {symbol: number for number, symbol in enumerate(symbols)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=TEXT_WINDOW)


def _byte_letters() -> list[str]:
    """One printable letter for each byte, as byte-level BPE has them: the byte's own where that is printable."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(byte) for byte in own] + [chr(PAIRS + number) for number in range(PAIRS - len(own))]


def _scheduler() -> Any:
    """The betas of Stable Diffusion 1 and XL."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
