"""The parts of `sagemaker.py`."""
