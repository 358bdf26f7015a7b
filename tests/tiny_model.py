"""A complete language model of a few hundred kilobytes, made on the spot: random weights, own tokenizer, fixed seed.

What it writes is noise, but repeatable noise: enough to test everything about an engine except the quality of a model.
"""

from __future__ import annotations

import json
from pathlib import Path

CONTEXT_LENGTH = 512
"""In tokens."""

CHAT_TEMPLATE = (
    "{% for tool in tools or [] %}<tool>{{ tool.function.name }}</tool>{% endfor %}"
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}</{{ message.role }}>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)

_TRAINING_LINES = (
    "Find the sum of the first ten positive integers.",
    "```python\nprint(sum(range(1, 11)))\n```\n```output\n55\n```\n",
    "The answer is $\\boxed{55}$.",
    "Let x be a number such that 3x + 4 = 19. Then 3x = 15 and x = 5.",
    "from sympy import symbols, solve\nx = symbols('x')\nprint(solve(x**2 - 5*x + 6, x))\n",
)


def make_tiny_model(directory: Path, *, with_chat_template: bool = True) -> Path:
    """Write the model to `directory` (made if missing) in the Hugging Face layout; the same bytes every time."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    directory.mkdir(parents=True, exist_ok=True)
    vocab_size = _write_tokenizer(directory, with_chat_template=with_chat_template)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=CONTEXT_LENGTH,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        # Ten times the usual spread: sharp enough to be repeatable, flat enough that samples differ.
        initializer_range=0.2,
        dtype="float32",
    )
    with torch.random.fork_rng():
        torch.manual_seed(20240229)
        model = LlamaForCausalLM(config)
    model.save_pretrained(directory)
    return directory


def _write_tokenizer(directory: Path, *, with_chat_template: bool) -> int:
    """A byte-level BPE tokenizer with real merges, so that tokens are longer than a character; returns its size."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TRAINING_LINES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer.save(str(directory / "tokenizer.json"))
    settings: dict[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": CONTEXT_LENGTH,
    }
    if with_chat_template:
        settings["chat_template"] = CHAT_TEMPLATE
    (directory / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))
    return int(tokenizer.get_vocab_size())
