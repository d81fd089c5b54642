"""Make tiny.gguf: a complete, very small language model, to try `deployer` on any machine.

    python examples/tiny/generate.py [PATH]     (needs: pip install gguf)

Nothing is downloaded and nothing was trained. The model is a chain: each word of `ANSWER` leads to the
next one, so whatever it is asked, it recites that answer. It is a whole model all the same - a Llama with
two layers, grouped-query attention, a tokenizer and a chat template - so llama.cpp loads and serves it
like any other. The file is the same, byte for byte, each time it is made.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, LlamaFileType, TokenType

# What the model says. No word may stand there twice, for each word has one successor. "▁" is how
# this kind of tokenizer writes a space; a comma or a full stop belongs to its word.
ANSWER = (
    "Hello! I am a tiny model that deployer made on this machine. My weights hold one chain of words,"
    " so every question gets the same answer. Next, point your spec at something bigger."
)
WORDS = ANSWER.replace(" ", " ▁").split(" ")

# The vocabulary: what every tokenizer of this kind has first, then the roles of a chat, then a token for
# each of the 256 bytes (so that any text can be read), then the words.
SPECIAL = ["<unk>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"]
BYTES = [f"<0x{n:02X}>" for n in range(256)]
TOKENS = [*SPECIAL, *BYTES, *WORDS]
BOS, EOS = SPECIAL.index("<s>"), SPECIAL.index("</s>")
FIRST = len(SPECIAL) + len(BYTES)  # the first word

# "<|user|>How are you?<|assistant|>": the model then goes on after <|assistant|>.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD_DIM, FEED_FORWARD, CONTEXT = 2, 320, 10, 2, 32, 64, 4096


def embedding() -> np.ndarray:
    """Give each token a direction of its own: token 0 is (1, 0, 0, ...), token 1 is (0, 1, 0, ...)."""
    return np.eye(len(TOKENS), HIDDEN, dtype=np.float16)


def head() -> np.ndarray:
    """Score the next token: row = token that may come next, column = token that was read.

    A normalised one-hot vector has length sqrt(320) = 18, so a 4 scores 72 and everything else 0. That
    leaves no doubt at any usual temperature.
    """
    scores = np.zeros((len(TOKENS), HIDDEN), dtype=np.float16)
    scores[FIRST, : len(TOKENS)] = 4  # whatever was read, the answer begins...
    for word in range(FIRST, FIRST + len(WORDS)):
        following = word + 1 if word + 1 < len(TOKENS) else EOS
        scores[FIRST, word] = 0  # ...unless it has begun: then its next word follows,
        scores[following, word] = 4  # and </s> after the last
    scores[FIRST, len(TOKENS) - 1] = 2  # who forbids </s> (benchmarks do) hears it again
    return scores


def layer(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Make one layer that does its arithmetic and changes nothing: what it would add is zero."""

    def noise(rows: int, columns: int) -> np.ndarray:
        return rng.normal(0, 0.02, (rows, columns)).astype(np.float16)

    return {
        "attn_norm": np.ones(HIDDEN, dtype=np.float32),
        "attn_q": noise(HEADS * HEAD_DIM, HIDDEN),
        "attn_k": noise(KV_HEADS * HEAD_DIM, HIDDEN),
        "attn_v": noise(KV_HEADS * HEAD_DIM, HIDDEN),
        "attn_output": np.zeros((HIDDEN, HEADS * HEAD_DIM), dtype=np.float16),
        "ffn_norm": np.ones(HIDDEN, dtype=np.float32),
        "ffn_gate": noise(FEED_FORWARD, HIDDEN),
        "ffn_up": noise(FEED_FORWARD, HIDDEN),
        "ffn_down": np.zeros((HIDDEN, FEED_FORWARD), dtype=np.float16),
    }


def add_shape(model: GGUFWriter) -> None:
    """Write the figures that say what kind of Llama this is."""
    model.add_name("tiny")
    model.add_file_type(LlamaFileType.MOSTLY_F16)
    model.add_block_count(LAYERS)
    model.add_context_length(CONTEXT)
    model.add_embedding_length(HIDDEN)
    model.add_feed_forward_length(FEED_FORWARD)
    model.add_head_count(HEADS)
    model.add_head_count_kv(KV_HEADS)
    model.add_rope_dimension_count(HEAD_DIM)
    model.add_layer_norm_rms_eps(1e-6)
    model.add_vocab_size(len(TOKENS))


def add_tokenizer(model: GGUFWriter) -> None:
    """Write the vocabulary and the chat template."""
    kinds = [TokenType.CONTROL] * len(SPECIAL) + [TokenType.BYTE] * len(BYTES)
    kinds[0] = TokenType.UNKNOWN
    model.add_tokenizer_model("llama")
    model.add_token_list(TOKENS)
    model.add_token_scores([0.0] * len(TOKENS))
    model.add_token_types([*kinds, *[TokenType.NORMAL] * len(WORDS)])
    model.add_bos_token_id(BOS)
    model.add_eos_token_id(EOS)
    model.add_unk_token_id(0)
    model.add_add_bos_token(True)
    model.add_add_space_prefix(False)
    model.add_chat_template(CHAT_TEMPLATE)


def write(path: Path) -> None:
    """Write the model."""
    model = GGUFWriter(path, "llama")
    add_shape(model)
    add_tokenizer(model)
    model.add_tensor("token_embd.weight", embedding())
    rng = np.random.default_rng(seed=0)
    for number in range(LAYERS):
        for name, weights in layer(rng).items():
            model.add_tensor(f"blk.{number}.{name}.weight", weights)
    model.add_tensor("output_norm.weight", np.ones(HIDDEN, dtype=np.float32))
    model.add_tensor("output.weight", head())
    model.write_header_to_file()
    model.write_kv_data_to_file()
    model.write_tensors_to_file()
    model.close()


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("tiny.gguf")
    write(target)
    data = target.read_bytes()
    print(f"{target}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")
