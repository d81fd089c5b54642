"""What a model is for, by its architecture: whether it generates text at all. Pure.

Sources: llama.cpp's architectures without causal attention or with an encoder alone (src/llama-arch.cpp), and how vLLM
tells models that pool from models that generate by the end of their class's name (vllm/config/model.py).
"""

from __future__ import annotations

import re

_ENCODERS = (
    "bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "eurobert",
    "gemma-embedding", "t5encoder", "wavtokenizer-dec",
)  # fmt: skip
"""GGUF architectures that take in text (or sound) and give vectors."""

_POOLS = (
    "ForTextEncoding", "EmbeddingModel", "ForSequenceClassification", "ForTokenClassification",
    "ForAudioClassification", "ForImageClassification", "ForVideoClassification", "ClassificationModel",
    "ForRewardModeling", "RewardModel", "ForMaskedLM", "ForQuestionAnswering", "ForMultipleChoice",
)  # fmt: skip
"""Ends of the names of classes whose models judge or embed text."""

_ENCODER_CLASS = (
    r"\w*(Bert|BERT|Roberta|RoBERTa|Electra|Deberta|DeBERTa|MPNet|Camembert|XLNet|Ernie)\w*Model"
    r"|(T5|UMT5)EncoderModel|(CLIP|Siglip|SigLIP)\w*Model"
)


def is_encoder(architecture: str | None) -> bool:
    """Whether a GGUF file of this architecture is an encoder: it keeps no KV cache."""
    return architecture in _ENCODERS


def other_than_text(architecture: str | None) -> str | None:
    """Say what a model is that does not generate text, in words; None for one that does, or may."""
    if architecture is None:
        return None
    if is_encoder(architecture):
        return f"an encoder ({architecture})"
    if architecture.endswith(_POOLS):
        return f"a model that classifies or embeds ({architecture})"
    return f"an encoder ({architecture})" if re.fullmatch(_ENCODER_CLASS, architecture) else None
