"""Make a plan real: start it, wait until it is healthy, ask it something, remember it.

Takes a plan and nothing else: what was shown is what is applied. A provider is applied by its own `runner` or,
when it has a Pulumi program, by Pulumi (`deployer.running.stack`). Whatever goes wrong with a runner (a failure,
Ctrl-C), everything that was started is stopped again, and only the log stays; what an engine has made stays,
is named, and the next `up` goes on from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deployer.core.domain import Plan
from deployer.providers.api import Provider
from deployer.providers.managers import Say
from deployer.running.lookup import runner_of
from deployer.running.runner_apply import READY_S, Applied, Now, RunnerWork
from deployer.running.store import Store

if TYPE_CHECKING:
    from deployer.running.stack.apply import Agree


def apply(  # noqa: PLR0913 - each is a thing of its own, and all but the plan are named
    plan: Plan,
    *,
    home: Path,
    provider: Provider,
    say: Say,
    now: Now,
    wait: bool = True,
    limit_s: float | None = None,
    agree: Agree | None = None,
) -> Applied:
    """Apply a plan, unless it is what runs already.

    What a provider with a Pulumi program would change is shown to `agree` first, which may refuse it by an
    error; all others have been agreed to with the plan.

    Raises:
        RemoteError: it did not start, or does not answer as it should.
        PrerequisiteError: something that it needs is missing, or the model is gated and not for this user.
        StaleError: another process is working on the same deployment.
    """
    if plan.model.gated:
        from deployer.sources import model_access

        model_access.refuse_locked(plan.model.name)
    store = Store(home)
    with store.lock(plan.deployment):
        if provider.applied_by_pulumi:
            from deployer.running.stack.apply import StackWork

            work = StackWork(
                plan,
                store,
                provider,
                say,
                now,
                wait,
                limit_s,
                agree or (lambda _: None),
            )
            return Applied(*work.done())
        runner = runner_of(provider, home)
        return RunnerWork(plan, store, runner, say, now, wait, limit_s or READY_S).done()
