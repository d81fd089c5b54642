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
    "ForRewardModeling", "RewardModel", "ForMaskedLM", "ForQuestionAnswering", "ForMultipleChoice", "EmbedModel",
    "ForRetrieval", "ForXVector", "ForAudioFrameClassification", "ForImageFeatureExtraction",
)  # fmt: skip
"""Ends of the names of classes whose models judge or embed text."""

_ENCODER_CLASS = (
    r"\w*(Bert|BERT|Roberta|RoBERTa|Electra|Deberta|DeBERTa|MPNet|Camembert|XLNet|Ernie)\w*Model"
    r"|(T5|UMT5)EncoderModel|(CLIP|Siglip|SigLIP)\w*Model"
)


_SEES = (
    "ForObjectDetection", "ForSemanticSegmentation", "ForInstanceSegmentation", "ForUniversalSegmentation",
    "ForImageSegmentation", "ForDepthEstimation", "ForMaskGeneration", "ForMaskedImageModeling", "ForKeypointDetection",
    "Transformer2DModel", "Transformer3DModel", "UNet2DConditionModel", "AutoencoderKL", "ForImageToImage",
)  # fmt: skip
"""Ends of the names of classes that find things in pictures, or make them."""

_SOUND = (
    r"\w*(ForCTC|ForTextToSpeech|ForSpeechToSpeech|ForTextToWaveform|ForTextToSpectrogram)"
    r"|(Whisper|Speech2Text|Moonshine|SpeechT5)\w*|(Vits|Encodec|Mimi|Dac|Bark)Model"
    r"|(Wav2Vec2|Hubert|WavLM|AST|Unispeech|Seamless)\w*Model"
)
_SEEING = r"(ViT|Vit|DeiT|Beit|Swin|Dino|Sam|Detr|ConvNext|ResNet|Hiera)\w*Model"
_DRAFTS = r"\w*(Eagle|EAGLE|Medusa|Speculator|DFlash|HydraModel)\w*|\w+MTPModel"
"""Heads that guess the next tokens of another model."""


def is_encoder(architecture: str | None) -> bool:
    """Whether a GGUF file of this architecture is an encoder: it keeps no KV cache."""
    return architecture in _ENCODERS


def has_layers_without_weights(architecture: str | None) -> bool:
    """Whether a model may have layers of which nothing is left, and no tensors (Nemotron-NAS)."""
    return (architecture or "").startswith(("DeciLM", "NemotronNAS"))


def other_than_text(architecture: str | None) -> str | None:
    """Say what a model is that does not generate text, in words; None for one that does, or may."""
    if architecture is None:
        return None
    if is_encoder(architecture):
        return f"an encoder ({architecture})"
    ways = (
        ("a draft model for speculative decoding", re.fullmatch(_DRAFTS, architecture)),
        ("a model that classifies or embeds", architecture.endswith(_POOLS)),
        ("a model of speech or sound", re.fullmatch(_SOUND, architecture)),
        (
            "a model of pictures",
            architecture.endswith(_SEES) or re.fullmatch(_SEEING, architecture),
        ),
        ("an encoder", re.fullmatch(_ENCODER_CLASS, architecture)),
    )
    return next((f"{what} ({architecture})" for what, is_one in ways if is_one), None)
