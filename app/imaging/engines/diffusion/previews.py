"""What a half-done picture looks like, without the decoder: each latent cell's colour by one small matrix."""

import io
from typing import Any

from app.imaging.engines.diffusion.recipes import Family

# 4 latent channels → R, G, B in −1…1. Fitted by StAlKeR7779 (SDXL) and by keturn, erucipe and torridgristle (SD 1.x);
# published with InvokeAI (Apache-2.0), invokeai/app/util/step_callback.py.
MATRIX: dict[Family, list[list[float]]] = {
    "sd": [
        [0.3444, 0.1385, 0.0670],
        [0.1247, 0.4027, 0.1494],
        [-0.3192, 0.2513, 0.2103],
        [-0.1307, -0.1874, -0.7445],
    ],
    "sdxl": [
        [0.3816, 0.4930, 0.5320],
        [-0.3753, 0.1631, 0.1739],
        [0.1770, 0.3588, -0.2048],
        [-0.4350, -0.2644, -0.4289],
    ],
}
SIDE = 256  # pixels of the longer side
QUALITY = 70


def colours(latents: Any, family: Family) -> Any:
    """Latents (n, 4, h, w) → uint8 (n, h, w, 3), on the CPU.

    Schedulers with large sigmas (Euler) hold latents of many times their final spread; those are scaled down first.
    """
    import torch

    latents = latents.float()
    latents = latents / latents.std(dim=(1, 2, 3), keepdim=True).clamp(min=1)
    matrix = torch.tensor(MATRIX[family], device=latents.device)
    rgb = torch.einsum("nchw,cr->nhwr", latents, matrix)
    return ((rgb + 1) * 127.5).clamp(0, 255).to(torch.uint8).cpu()


def jpeg(pixels: Any) -> bytes:
    """uint8 (h, w, 3) → a JPEG whose longer side is 256 pixels."""
    from PIL import Image

    small = Image.fromarray(pixels.numpy())
    scale = SIDE / max(small.size)
    size = max(round(small.width * scale), 1), max(round(small.height * scale), 1)
    written = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(written, "JPEG", quality=QUALITY)
    return written.getvalue()
