"""A tiny model as MLX reads it: a Llama of two layers that recites one sentence, whatever it is asked.

It is the chain of words of `examples/tiny/generate.py`, in safetensors and with a tokenizer of whole words. Nothing is
downloaded, and it is the same each time it is made.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

ANSWER = "Hello! I am a tiny model in safetensors, and MLX reads my chain of words out to you, one by one."
SPECIAL = ["<unk>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
WORDS = ANSWER.split(" ")
TOKENS = [*SPECIAL, *WORDS]
EOS, FIRST = SPECIAL.index("</s>"), len(SPECIAL)
LAYERS, HIDDEN, HEADS, KV_HEADS, FEED_FORWARD, CONTEXT = 2, 64, 4, 2, 64, 4096
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|> {{ message['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": LAYERS,
    "hidden_size": HIDDEN,
    "intermediate_size": FEED_FORWARD,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": HIDDEN // HEADS,
    "max_position_embeddings": CONTEXT,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "vocab_size": len(TOKENS),
    "eos_token_id": EOS,
}
TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "chat_template": CHAT_TEMPLATE,
}


def make(folder: Path) -> Path:
    """Write the model's folder and return it."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    save_file(weights(), folder / "model.safetensors", metadata={"format": "mlx"})
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER))
    _tokenizer(folder / "tokenizer.json")
    return folder


def weights() -> dict[str, np.ndarray]:
    """Return its tensors: layers that add nothing, and a head that knows each word's successor."""
    made = {
        "model.embed_tokens.weight": np.eye(len(TOKENS), HIDDEN, dtype=np.float16),
        "model.norm.weight": np.ones(HIDDEN, dtype=np.float16),
        "lm_head.weight": _head(),
    }
    kv = HIDDEN // HEADS * KV_HEADS
    rows = {"q_proj": HIDDEN, "k_proj": kv, "v_proj": kv, "o_proj": HIDDEN}
    for layer in (f"model.layers.{n}" for n in range(LAYERS)):
        for name, out in rows.items():
            made[f"{layer}.self_attn.{name}.weight"] = np.zeros((out, HIDDEN), dtype=np.float16)
        for name in ("gate_proj", "up_proj", "down_proj"):
            made[f"{layer}.mlp.{name}.weight"] = np.zeros((HIDDEN, HIDDEN), dtype=np.float16)
        for name in ("input_layernorm", "post_attention_layernorm"):
            made[f"{layer}.{name}.weight"] = np.ones(HIDDEN, dtype=np.float16)
    return made


def _head() -> np.ndarray:
    """Score the next token (row) after the one that was read (column)."""
    scores = np.zeros((len(TOKENS), HIDDEN), dtype=np.float16)
    scores[FIRST, : len(TOKENS)] = 4  # whatever was read, the answer begins
    for word in range(FIRST, len(TOKENS)):
        scores[FIRST, word] = 0  # and when it has begun, its next word follows
        scores[word + 1 if word + 1 < len(TOKENS) else EOS, word] = 4
    return scores


def _tokenizer(file: Path) -> None:
    from tokenizers import AddedToken, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit

    made = Tokenizer(WordLevel({token: n for n, token in enumerate(TOKENS)}, unk_token="<unk>"))
    made.pre_tokenizer = WhitespaceSplit()
    made.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    made.save(str(file))
