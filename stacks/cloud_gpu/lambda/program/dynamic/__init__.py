"""What a deployment has at Lambda, as Pulumi dynamic resources, and the API that they ask.

Their code is kept in the stack's state, so it imports nothing but Pulumi, httpx and cryptography.
"""  # noqa: N999 - the cloud is called so
