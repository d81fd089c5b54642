"""Amazon Bedrock's import of custom models. The parts of `provider.py`."""
