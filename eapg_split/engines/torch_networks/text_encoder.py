"""The byte-level text encoder: reads English and Chinese prompts alike."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eapg_split.eapg.attributes import VALUES
from eapg_split.eapg.networks import TEXT_WIDTH
from eapg_split.eapg.prompt import TEXT_BYTES

ATTRIBUTES = tuple(VALUES)


class ReadingBlock(nn.Module):
    """Attention over the bytes of a prompt, then a feed-forward layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.middle = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 3 * width)
        self.narrow = nn.Linear(3 * width, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = (p.transpose(1, 2) for p in self.qkv(self.enter(x)).reshape(b, n, 3, 4, c // 4).unbind(2))
        score = (q * (c // 4) ** -0.5) @ k.transpose(2, 3) + bias[:, None, None]
        x = x + self.out((score.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c))
        return x + self.narrow(F.gelu(self.widen(self.middle(x))))


class TextEncoder(nn.Module):
    """Bytes of a prompt to one vector per attribute: forward(tokens) -> (B, K, D).

    tokens (B, 160) int64 are bytes + 1, 0 is padding. Every attribute has learnt value vectors and one for "not
    said"; what comes out is their mean under the attribute's predicted probabilities, so that the experts see a
    closed vocabulary however a prompt is phrased.
    """

    def __init__(self, width: int = 128, layers: int = 3) -> None:
        super().__init__()
        self.embed = nn.Embedding(257, width, padding_idx=0)
        self.local = nn.Conv1d(width, width, 5, padding=2)
        self.position = nn.Parameter(torch.randn(TEXT_BYTES, width) * 0.02)
        self.layers = nn.ModuleList(ReadingBlock(width) for _ in range(layers))
        self.queries = nn.Parameter(torch.randn(len(ATTRIBUTES), width) * 0.1)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.heads = nn.ModuleList(nn.Linear(width, len(VALUES[name]) + 1) for name in ATTRIBUTES)
        # fixed, well separated value vectors: the experts learn what they mean, and every phase of the recipe
        # can run on its own because no phase moves them
        draw = torch.Generator().manual_seed(20)
        for name in ATTRIBUTES:
            self.register_buffer(
                f"table_{name}", torch.randn(len(VALUES[name]) + 1, TEXT_WIDTH, generator=draw)
            )

    def logits(self, tokens: Tensor) -> list[Tensor]:
        """Per attribute (B, values + 1); index 0 means "not said"."""
        hidden = tokens == 0
        x = self.embed(tokens)
        x = x + F.gelu(self.local(x.transpose(1, 2)).transpose(1, 2)) + self.position
        # additive mask: an empty prompt has every key masked equally and so stays finite
        bias = hidden.to(x.dtype) * -1e4
        for layer in self.layers:
            x = layer(x, bias)
        score = (self.queries @ self.key(x).transpose(1, 2)) / x.shape[-1] ** 0.5 + bias[:, None]
        pooled = score.softmax(-1) @ self.value(x)
        return [head(pooled[:, i]) for i, head in enumerate(self.heads)]

    def lookup(self, probabilities: list[Tensor]) -> Tensor:
        tables = [self.get_buffer(f"table_{name}") for name in ATTRIBUTES]
        return torch.stack([p @ table for p, table in zip(probabilities, tables, strict=True)], dim=1)

    def exact(self, codes: Tensor) -> Tensor:
        """What a perfectly read caption gives: codes (B, K) int64, 0 = not said, to (B, K, D)."""
        tables = [self.get_buffer(f"table_{name}") for name in ATTRIBUTES]
        return torch.stack([table[codes[:, i]] for i, table in enumerate(tables)], dim=1)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.lookup([logit.softmax(-1) for logit in self.logits(tokens)])
