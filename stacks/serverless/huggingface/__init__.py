"""The parts of `huggingface.py`."""
