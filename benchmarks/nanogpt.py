"""The yardstick of time to quality: nanoGPT's configuration for a CPU, written anew in PyTorch.

A transformer of four layers, four heads and 128 features that reads 64 characters: pre-norm blocks without biases,
learned positions, tied embeddings, AdamW with weight decay on matrices, warm-up and cosine, clipping; 2,000 batches of
12 random windows (Radford et al. 2019; the settings are those that nanoGPT's README gives for a CPU, on top of
`config/train_shakespeare_char.py`).
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

BLOCK, BATCH, LAYERS, HEADS, FEATURES, STEPS = 64, 12, 4, 4, 128, 2000
RATE, LEAST_RATE, WARM_UP, DECAY = 1e-3, 1e-4, 100, 0.1


class Block(nn.Module):
    """Attention to what came before, and a layer that looks at each place by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(FEATURES, bias=False) for _ in range(2))
        self.attention = nn.Linear(FEATURES, 3 * FEATURES, bias=False)
        self.wide = nn.Linear(FEATURES, 4 * FEATURES, bias=False)
        self.out = nn.ModuleList([nn.Linear(n * FEATURES, FEATURES, bias=False) for n in (1, 4)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, T, features) to the same shape."""
        rows, steps, _ = x.shape
        heads = self.attention(self.norms[0](x)).view(rows, steps, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.out[0](seen.transpose(1, 2).reshape(rows, steps, -1))
        return x + self.out[1](functional.gelu(self.wide(self.norms[1](x))))


class Transformer(nn.Module):
    """Ids (B, T) to logits (B, T, V)."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, FEATURES), nn.Embedding(BLOCK, FEATURES)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(FEATURES, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = math.sqrt(2 * LAYERS) if ".out." in name else 1
                nn.init.normal_(weight, std=0.02 / deep)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Give the logits of each place's next token."""
        x = self.tokens(ids) + self.places.weight[: ids.shape[1]]
        return self.norm(self.blocks(x)) @ self.tokens.weight.t()


def _rates() -> Iterator[float]:
    for step in range(STEPS):
        along = max(step - WARM_UP, 0) / (STEPS - WARM_UP)
        cosine = LEAST_RATE + 0.5 * (1 + math.cos(math.pi * along)) * (RATE - LEAST_RATE)
        yield RATE * (step + 1) / (WARM_UP + 1) if step < WARM_UP else cosine


def _loss(model: Any, windows: torch.Tensor) -> torch.Tensor:
    logits = model(windows[:, :-1])
    return functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), windows[:, 1:].reshape(-1))


def run(
    training: np.ndarray,
    validation: np.ndarray,
    vocabulary: int,
    threads: int,
    seed: int = 0,
    after_step: Callable[[int], None] = lambda step: None,
) -> tuple[float, float]:
    """Train on ids; give the CPU seconds of training, and nats per character on all windows of the validation.

    `after_step` is called with the number of each step, from 0.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    model = Transformer(vocabulary)
    matrices = [weight for weight in model.parameters() if weight.dim() == 2]
    others = [weight for weight in model.parameters() if weight.dim() != 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99))
    begun = time.process_time()
    for step, rate in enumerate(_rates()):
        places = torch.randint(len(training) - BLOCK, (BATCH,)).numpy()
        windows = torch.tensor(np.stack([training[place : place + BLOCK + 1] for place in places])).long()
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        _loss(model, windows).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        after_step(step)
    seconds = time.process_time() - begun
    count = (len(validation) - 1) // BLOCK
    windows = torch.tensor(np.stack([validation[i * BLOCK : (i + 1) * BLOCK + 1] for i in range(count)])).long()
    with torch.inference_mode():
        losses = [float(_loss(model, some)) * len(some) for some in windows.split(64)]
    return seconds, sum(losses) / count
