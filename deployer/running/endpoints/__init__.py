"""Models that are served without a machine of one's own: applied, looked at and removed.

    service.py      what is asked of a service; `services` names those that there are
    bedrock.py      imported models of Amazon Bedrock
    sagemaker.py    inference components of Amazon SageMaker
    hub.py          Inference Endpoints of Hugging Face
    looks.py        what they leave behind on AWS, and how it is removed
    manager.py       a deployment that exists
    site.py         a plan that is being applied

Nothing here asks the model itself but the smoke test: a call would wake it, and be billed.
"""
