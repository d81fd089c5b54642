"""What is written on everything that is made."""

from __future__ import annotations

from typing import Any

from deployer.providers.tags import Prefixed, of_deployment, of_machine

ORDER: Any = {
    "deployment": "bot-cloud-gpu",
    "digest": "ab12",
    "policy": {"expires": 3600.0, "budget": "400", "idle": {"after": 1800, "action": "stop"}},
}


def test_what_is_written_is_read_again_and_what_is_others_is_not():
    tags = Prefixed().write(of_machine(ORDER))
    assert tags["deployer:expires-after"] == "3600s"
    assert Prefixed().read({**tags, "Name": "x"}) == of_machine(ORDER)


def test_without_a_budget_or_an_end_none_is_written():
    policy = {"expires": None, "idle": {"after": 60, "action": "none"}}
    order: Any = {**ORDER, "policy": policy}
    found = of_machine(order)
    assert found["expires-after"] == "never"
    assert "budget" not in found
    assert of_deployment(ORDER).items() <= found.items()
