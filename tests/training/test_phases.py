"""What each phase learns from: its shapes, its losses, and that training and generation speak of the same things."""

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from eapg_split.domain.workload import Geometry
from eapg_split.eapg.attributes import VALUES, Attributes
from eapg_split.eapg.prompt import TEXT_BYTES
from eapg_split.eapg.schedule import SIGMA
from eapg_split.eapg.spaces import SPACES, decode, encode, pack
from eapg_split.eapg.upsample import upsample
from eapg_split.engines.grid import even
from eapg_split.engines.torch_networks.denoiser import LOW, STAGE1, STAGE2, Denoiser
from eapg_split.engines.torch_networks.text_encoder import TextEncoder
from eapg_split.training import data, late, phases
from eapg_split.training.autoencoder import Autoencoder, blocks_of, reconstruction_loss
from eapg_split.training.captions_en import english
from eapg_split.training.captions_zh import chinese
from eapg_split.training.world import complete


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


class Perfect(nn.Module):
    """Knows the answer."""

    def __init__(self, clean: Tensor) -> None:
        super().__init__()
        self.clean = clean

    def forward(self, x: Tensor, *_conditions: object) -> Tensor:
        assert x.shape == self.clean.shape
        return self.clean


class Recorder(Perfect):
    def forward(self, x: Tensor, *conditions: object) -> Tensor:
        self.seen = x, conditions
        return self.clean + 1


def test_training_and_sampling_start_from_the_same_noise_weights() -> None:
    assert [phases.SIGMA[stage] for stage in (1, 2, 3, 4)] == pytest.approx(SIGMA)


def test_a_perfect_network_has_no_loss() -> None:
    clean = torch.randn(2, 12, 3, 4, 4)
    example = phases.Example(clean, torch.randn_like(clean), None, torch.rand_like(clean))
    perfect: Denoiser = Perfect(clean)  # type: ignore[assignment]
    loss = phases.flow_loss(perfect, example, None, torch.tensor([0.5, 0.4]), torch.tensor([0.0, 0.9]))
    assert float(loss) == 0


def test_the_network_sees_the_path_between_start_and_clean() -> None:
    clean, up = torch.randn(2, 1, 1, 2, 2), torch.randn(2, 1, 1, 2, 2)
    recorder = Recorder(clean)
    net: Denoiser = recorder  # type: ignore[assignment]
    example = phases.Example(clean, up, None)
    loss = phases.flow_loss(net, example, None, torch.tensor([0.0, 0.0]), torch.tensor([0.25, 0.9]))
    seen, conditions = recorder.seen
    assert torch.allclose(seen[0], 0.75 * up[0] + 0.25 * clean[0])
    assert conditions[1] is up
    # the weight is that of the velocity's error, 1/(1-t)^2, up to a cap
    assert float(loss) == pytest.approx((1 / 0.75**2 + phases._WEIGHT_CAP) / 2, rel=1e-5)
    assert seen.shape == clean.shape


def test_pixels_become_channels_as_in_generation() -> None:
    frames = torch.randn(1, 8, 12, 20, 3)
    for patch in (1, 4):
        packed = data.pack_light(frames, patch)[0].numpy()
        for index in range(8 // patch):
            block = frames[0, index * patch : (index + 1) * patch].numpy()
            assert np.array_equal(packed[:, index], pack(block, 4))


@pytest.mark.parametrize("patch", [1, 2])
def test_odd_latents_are_padded_as_in_generation(patch: int) -> None:
    x = torch.randn(1, 3, 2, 9, 18)
    assert np.array_equal(data.even(x, patch).numpy(), even(x.numpy(), patch))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (Geometry(1, 64, 36, 6), Geometry(6, 128, 72, 31)),
        (Geometry(6, 128, 72, 13), Geometry(12, 256, 144, 25)),
        (Geometry(2, 20, 12, 5), Geometry(5, 36, 28, 11)),
    ],
)
def test_upsampling_is_that_of_generation(source: Geometry, target: Geometry) -> None:
    frames = np.random.default_rng(3).random((source.frames, source.height, source.width, 3), np.float32)
    times = np.arange(source.frames) / source.fps
    wanted = (np.arange(target.frames) / target.fps).clip(max=times[-1])
    ours = data.upsample(torch.from_numpy(frames)[None], times, wanted, (target.height, target.width))[0]
    theirs = np.stack(list(upsample(iter(frames), source, target)))
    assert np.abs(ours.numpy() - theirs).max() < 1e-5


class TorchBlocks:
    """The two networks of the autoencoder as generation calls them."""

    def __init__(self, net: Autoencoder) -> None:
        self.net = net

    def encode_block(self, frames: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.net.encoder(torch.from_numpy(frames[None]))[0].numpy()

    def decode_block(self, latent: np.ndarray, previous: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            shown = self.net.decoder(torch.from_numpy(latent[None]), torch.from_numpy(previous[None]))
        return shown[0].numpy()


def test_late_sources_are_those_of_generation() -> None:
    """Blocks, upsampling and the first latent: the expert must not meet another pattern than it was shown."""
    net = Autoencoder().eval()
    networks = TorchBlocks(net)
    coarse, fine = Geometry(12, 64, 32, 9), Geometry(24, 128, 64, 17)
    frames = np.random.default_rng(1).uniform(-0.2, 0.2, (9, 32, 64, 3)).astype(np.float32)
    latent = encode(SPACES[2], iter(frames), coarse, networks)  # type: ignore[arg-type]
    decoded = decode(SPACES[2], latent, coarse.frames, networks)  # type: ignore[arg-type]
    source = encode(SPACES[3], upsample(decoded, coarse, fine), fine, networks)  # type: ignore[arg-type]
    with torch.no_grad():
        clip = torch.from_numpy(frames)
        assert np.abs(late.encode_clip(net, clip).numpy() - latent[0]).max() < 1e-5
        shown = late.decode_clip(net, late.encode_clip(net, clip)).clamp(-1, 1)
        ours = late.encode_clip(net, late.doubled(shown, (64, 128)))
    assert ours.shape == source.shape[1:]
    assert np.abs(ours.numpy() - source[0]).max() < 1e-4


def test_late_windows_are_crops_of_both_stages() -> None:
    net = Autoencoder()
    stages = set()
    for seed in (0, 2):
        window = late.late_window(net, seed)
        assert window["clean"].shape == window["up"].shape == (8, 12, 5, 16, 16)
        assert np.isfinite(window["up"].astype(np.float32)).all()
        stages |= {round(float(sigma), 3) for sigma in window["sigma"]}
    assert stages == {0.5, 0.4}


def test_stage1_learns_from_frames_and_clips() -> None:
    net, encoder = Denoiser(STAGE1), TextEncoder()
    for make, frames in ((phases.image_batches, 1), (phases.key_frame_batches, 6)):
        example = next(make(1, 2))
        assert example.clean.shape == (2, 48, frames, 10, 16)
        assert example.up is None
        assert example.codes is not None
        assert example.codes.shape == (2, len(VALUES))
        assert example.weight is not None
        assert example.weight.shape == example.clean.shape
        assert float(example.weight.min()) == 1
        assert float(example.weight.max()) > 1
        assert -1 <= float(example.clean.min()) <= float(example.clean.max()) <= 1
        loss = phases.stage1_loss(net, encoder, example)
        assert torch.isfinite(loss)
        loss.backward()


def test_stage2_learns_from_windows_and_their_key_frames() -> None:
    net, encoder = Denoiser(STAGE2), TextEncoder()
    example = next(phases.early_batches(1, 2))
    assert example.up is not None
    assert example.clean.shape == example.up.shape == (2, 192, 4, 18, 32)
    # the source is a blurred version of the answer, not something else
    assert float((example.clean - example.up).abs().mean()) < 0.25
    loss = phases.stage2_loss(net, encoder, example)
    assert torch.isfinite(loss)
    loss.backward()


def test_the_low_noise_expert_learns_without_text() -> None:
    net = Denoiser(LOW)
    example, sigma = next(late._batches(Autoencoder(), 1, 4))
    assert example.clean.shape == (4, 12, 5, 16, 16)
    assert example.codes is None
    loss = late.low_loss(net, (example, sigma))
    assert torch.isfinite(loss)
    loss.backward()


def test_the_text_encoder_learns_from_captions() -> None:
    encoder = TextEncoder()
    tokens, codes = next(phases.caption_batches(1, 24))
    assert tokens.shape == (24, TEXT_BYTES)
    assert codes.shape == (24, len(VALUES))
    assert int(tokens.max()) <= 256
    loss = phases.text_loss(encoder, (tokens, codes))
    assert 0 < float(loss.detach()) < 5
    exact = encoder.exact(codes)
    assert exact.shape == encoder(tokens).shape


def test_no_caption_is_cut() -> None:
    """The encoder reads so many bytes; an attribute that is said beyond them could not be learnt."""
    rng = random.Random(4)
    for write in (english, chinese):
        longest = max(len(write(complete(Attributes(), rng), rng).encode()) for _ in range(3000))
        assert longest <= TEXT_BYTES


def test_codes_name_what_is_said() -> None:
    assert data.codes_of(Attributes()) == [0] * len(VALUES)
    assert data.codes_of(Attributes(scene="cat", camera="pan")) == [1, 0, 0, 0, 0, 0, 2]


def test_components_start_the_autoencoder_well() -> None:
    frames = data.to_signed(torch.from_numpy(data.block_pairs(3)["frames"]))
    assert frames.shape == (6, 8, 64, 64, 3)
    net = Autoencoder()
    blind = float(reconstruction_loss(net, frames).detach())
    net.start_from_components(blocks_of(frames[:, :4]))
    assert float(reconstruction_loss(net, frames).detach()) < blind / 4
    latent = net.encoder(frames[:, :4])
    assert torch.allclose(latent.std((0, 2, 3)), torch.ones(12), atol=0.1)


def test_the_pool_shows_old_examples_again_and_always_new_ones() -> None:
    pool = data.Pool(lambda seed: {"seed": np.array(seed)}, capacity=6, fresh=2, seed=100)
    batches = pool.batches(4)
    seen = [{int(example["seed"]) for example in next(batches)} for _ in range(10)]
    assert all(len(batch) == 4 for batch in seen)
    assert pool.made == 4 + 9 * 2
    assert set().union(*seen) <= set(range(100, 100 + pool.made))
