"""The shipped text encoder reads what completed prompts say."""

from dataclasses import asdict

import numpy as np
import torch
from safetensors.torch import load_file

from eapg_split.eapg.attributes import Attributes
from eapg_split.eapg.completion import complete_prompt
from eapg_split.eapg.prompt import tokens_of
from eapg_split.engines.store import SHIPPED
from eapg_split.engines.torch_networks.text_encoder import TextEncoder
from eapg_split.training.captions import evaluation_prompts
from eapg_split.training.data import codes_of


def test_every_attribute_of_nearly_every_evaluation_prompt_is_read() -> None:
    encoder = TextEncoder().eval()
    stored = load_file(SHIPPED / "text.safetensors")
    encoder.load_state_dict({key: value.float() for key, value in stored.items()})
    texts, wanted = [], []
    for seed in (0, 1):
        for prompt, _, _ in evaluation_prompts():
            completion = complete_prompt(prompt, seed)
            said, assumed = asdict(completion.understanding.attributes), asdict(completion.assumed)
            texts.append(tokens_of(completion.text))
            wanted.append(codes_of(Attributes(**{name: said[name] or assumed[name] for name in said})))
    with torch.no_grad():
        logits = encoder.logits(torch.from_numpy(np.stack(texts)))
    read = torch.stack([logit.argmax(1) for logit in logits], dim=1)
    wrong = int((read != torch.tensor(wanted)).any(1).sum())
    assert wrong <= len(texts) // 100, f"{wrong} of {len(texts)} prompts were misread"
