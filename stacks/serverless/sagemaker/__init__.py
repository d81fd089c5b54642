"""Real-time endpoints of Amazon SageMaker. The parts of `provider.py`."""
