"""A request unrolled into stages and steps, with what each needs. Pure arithmetic: no networks.

The costs are estimates for placement; what a node really needs it measures.
"""

from dataclasses import replace
from itertools import accumulate
from typing import Final

from eapg_split.domain.latent import LatentSpec
from eapg_split.domain.request import Request
from eapg_split.domain.workload import Geometry, Stage, StageKind, Workload
from eapg_split.eapg.networks import TEXT_TOKENS, TEXT_WIDTH
from eapg_split.eapg.schedule import BASE_FPS, STAGES, canvas_of, frame_count, frame_rates, stage_sizes
from eapg_split.eapg.spaces import SPACES

TEXT_SHAPE: Final = (2, TEXT_TOKENS, TEXT_WIDTH)
FIRST_DENOISE: Final = 1  # step 0 reads the text
LAST_TEXT_STAGE: Final = 2

_PARTS: Final[tuple[tuple[str, ...], ...]] = (
    ("text",),
    ("stage1",),
    ("stage2",),
    ("low", "encoder"),
    ("low", "encoder", "decoder"),
    ("decoder",),
)
_TEXT_FLOPS: Final = 0.3e9
_CELL_FLOPS: Final = (8e6, 2e6, 0.2e6, 0.2e6)  # one prediction, for each latent cell
_ENTRY_PIXEL_FLOPS: Final = (0.0, 4e3, 4e3, 4e3)  # decode, raise, encode: once a stage, for each pixel
_DECODE_PIXEL_FLOPS: Final = 11e3
_WEIGHT_BYTES: Final = 32 << 20
_RUNTIME_BYTES: Final = 96 << 20
_WINDOW_CELL_BYTES: Final = 2000  # activations, for each latent cell of one window
_WINDOW_CELLS: Final = 32 * 48 * 80
_LATENT_COPIES: Final = 6  # mu, xbar, source, prediction, and what is in transit
_FRAME_COPIES: Final = 12  # upsampling and one block of the autoencoder


def unroll(request: Request) -> Workload:
    """The workload of a request: text, four denoising stages, decode.

    Raises InvalidRequest when a latent would be larger than a latent may be.
    """
    geometries = stage_geometries(request)
    counts = (1, *request.steps, 1)
    starts = [0, *accumulate(counts)]
    stages = tuple(
        _stage(request, index, geometries, start_step=starts[index], stop_step=starts[index + 1])
        for index in range(len(counts))
    )
    specs = [LatentSpec.of(text=TEXT_SHAPE)]
    for number, steps in enumerate(request.steps, start=1):
        specs += _specs(number, steps, geometries)
    return Workload(request, stages, (*specs, LatentSpec()))


def stage_geometries(request: Request) -> tuple[Geometry, ...]:
    """The clip as each of the four denoising stages sees it, on the canvas."""
    sizes = stage_sizes(canvas_of(request.width, request.height))
    rates = frame_rates(min(BASE_FPS, request.fps), request.fps)
    return tuple(
        Geometry(rate, width, height, frame_count(request.seconds, rate))
        for rate, (width, height) in zip(rates, sizes, strict=True)
    )


def _specs(number: int, steps: int, geometries: tuple[Geometry, ...]) -> list[LatentSpec]:
    """The states after the steps of stage `number`: noise-free, and nothing that a later step does not need."""
    shapes: dict[str, tuple[int, ...]] = {"xbar": (1, *SPACES[number - 1].shape(geometries[number - 1]))}
    last = dict(shapes)
    if number > 1:
        shapes["source"] = (1, *SPACES[number - 2].shape(geometries[number - 2]))
    if number <= LAST_TEXT_STAGE:
        shapes["text"] = TEXT_SHAPE
    if number < LAST_TEXT_STAGE:
        last["text"] = TEXT_SHAPE
    return [LatentSpec.of(**shapes)] * (steps - 1) + [LatentSpec.of(**last)]


def _stage(
    request: Request, index: int, geometries: tuple[Geometry, ...], *, start_step: int, stop_step: int
) -> Stage:
    pixels = geometries[-1].width * geometries[-1].height
    name, kind, geometry = f"stage{index}", StageKind.DENOISE, geometries[min(index, STAGES) - 1]
    if index == 0:
        name, kind, geometry = "text", StageKind.TEXT, geometries[0]
        cost = _TEXT_FLOPS, _RUNTIME_BYTES, 0.0
    elif index <= STAGES:
        cost = _denoise_cost(request, index, geometry)
    else:
        name, kind = "decode", StageKind.DECODE
        geometry = replace(geometry, width=request.width, height=request.height)
        cost = _DECODE_PIXEL_FLOPS * pixels * geometry.frames, _fixed_bytes(pixels), 0.0
    sees_text = index <= LAST_TEXT_STAGE
    flops, memory, entry = cost
    return Stage(name, kind, start_step, stop_step, sees_text, geometry, flops, memory, _PARTS[index], entry)


def _denoise_cost(request: Request, number: int, geometry: Geometry) -> tuple[float, int, float]:
    channels, frames, height, width = SPACES[number - 1].shape(geometry)
    cells = frames * height * width
    calls = 2 if number <= LAST_TEXT_STAGE and request.guidance != 1 else 1
    activations = _WINDOW_CELL_BYTES * min(cells, _WINDOW_CELLS)
    latents = 4 * channels * cells * _LATENT_COPIES
    memory = _fixed_bytes(geometry.width * geometry.height) + activations + latents
    pixels = geometry.width * geometry.height * geometry.frames
    return calls * _CELL_FLOPS[number - 1] * cells, memory, _ENTRY_PIXEL_FLOPS[number - 1] * pixels


def _fixed_bytes(pixels: int) -> int:
    return _RUNTIME_BYTES + _WEIGHT_BYTES + _FRAME_COPIES * 12 * pixels
