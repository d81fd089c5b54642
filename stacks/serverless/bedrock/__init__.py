"""The parts of `bedrock.py`."""
