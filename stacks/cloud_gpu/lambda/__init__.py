"""Lambda Cloud: GPU machines by its REST API. The parts of `provider.py`."""  # noqa: N999 - the cloud is called so
