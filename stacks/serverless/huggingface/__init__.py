"""Hugging Face's Inference Endpoints. The parts of `provider.py`."""

NAME = "huggingface"
