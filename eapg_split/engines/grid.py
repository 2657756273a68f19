"""The denoisers halve their grid: latents that do not halve evenly are padded before and cropped after."""

import numpy as np

from eapg_split.eapg.networks import Floats


def denoiser_of(stage: int) -> tuple[str, int]:
    """Which part predicts at a stage (1 to 4), and how many latent cells a side its tokens fold together."""
    return (f"stage{stage}", 1) if stage <= 2 else ("low", 2)


def even(latent: Floats, patch: int) -> Floats:
    """Repeats the last row and column of (1, C, T, H, W) until both are multiples of 2 * patch."""
    height, width = latent.shape[-2:]
    unit = 2 * patch
    if height % unit == 0 and width % unit == 0:
        return np.ascontiguousarray(latent)
    rows, columns = (0, -height % unit), (0, -width % unit)
    return np.pad(latent, ((0, 0), (0, 0), (0, 0), rows, columns), mode="edge")


def cropped(latent: Floats, shape: tuple[int, ...]) -> Floats:
    """The part of the latent that was there before padding."""
    return np.ascontiguousarray(latent[..., : shape[-2], : shape[-1]])
