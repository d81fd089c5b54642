"""The pure parts of the reaper: groups, choices, months, and the files that run it."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml

from deployer.agents.idle import Decision
from deployer.core.errors import UsageError
from deployer.core.templates import cron_text, systemd_text
from deployer.providers.cloud import Login, Machine
from deployer.running.reaper import budget, schedules
from deployer.running.reaper.actions import chosen
from deployer.running.reaper.survey import together
from deployer.running.reaper.verdicts import MachineVerdict

LOGIN = Login(
    "keys in ~/.fake", "It logs in.", "- uses: fake/login@v1\n  with:\n    role: ${{ vars.ROLE }}"
)
START = 1_700_000_000.0


def machine(state: str = "running") -> Machine:
    return Machine("i-1", "north", "bot-cloud-gpu", "aws", state, START, "g5.xlarge")


def judged(action: str, group: str | None = None, of: Machine | None = None) -> MachineVerdict:
    of = of or replace(machine(), group=group)
    return MachineVerdict(of, Decision(action, "why"), 60.0, None, recorded=False)  # type: ignore[arg-type]


def test_a_group_is_kept_while_one_of_it_works():
    idle, busy, alone = judged("stop", "g"), judged("keep", "g"), judged("stop")
    assert [one.decision.action for one in together([idle, busy, alone])] == [
        "keep",
        "keep",
        "stop",
    ]
    assert [one.decision.action for one in together([idle, idle])] == ["stop", "stop"]


def test_what_cannot_be_stopped_is_only_destroyed():
    fixed = judged("stop", of=replace(machine(), can_stop=False))
    rests = judged("destroy", of=machine("stopped"))
    assert chosen([fixed, rests, judged("keep")], "stop") == []
    assert chosen([fixed, rests, judged("keep")], "destroy") == [fixed, rests]


def test_the_month_begins_with_its_first_day_in_utc():
    assert budget.month_start(datetime(2026, 11, 23, 5, tzinfo=UTC).timestamp()) == (
        datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    )


@pytest.mark.parametrize("place", schedules.FILES)
def test_the_files_hold_the_command_that_was_asked_for(place):
    install = "true" if place in schedules.INSTALLED else None
    texts = schedules.files(place, "destroy", ["eu-west-1"], 5400, [LOGIN], install)
    words = [word for text in texts.values() for word in text.replace('"', " ").split()]
    for word in ("deployer", "idle", "destroy", "--yes", "--region", "eu-west-1", "1h30m"):
        assert word in words


def test_the_workflow_is_yaml_that_logs_in_to_each_cloud_and_holds_no_key():
    (text,) = schedules.files("github", "stop", [], None, [LOGIN, LOGIN], "true").values()
    told = yaml.safe_load(text)
    steps = told["jobs"]["idle"]["steps"]
    assert steps[-1]["run"] == "deployer idle stop --yes"
    login = {"uses": "fake/login@v1", "with": {"role": "${{ vars.ROLE }}"}}
    assert steps[:2] == [login, login]
    assert text.count("# It logs in.\n") == 2
    assert told["permissions"] == {"contents": "read", "id-token": "write"}


def test_the_files_say_what_credentials_they_need():
    (text,) = schedules.files("cron", "stop", [], None, [LOGIN]).values()
    assert "It needs keys in ~/.fake, and deployer in the PATH." in text
    (alone,) = schedules.files("github", "stop", [], None, [], "true").values()
    assert len(yaml.safe_load(alone)["jobs"]["idle"]["steps"]) == 3


@pytest.mark.parametrize("word", ["a b", "it's", "$HOME", "50%", 'q"q', "back\\slash"])
def test_a_shell_command_survives_a_crontab(word):
    line = cron_text(shlex.join(["printf", "%s", word]))
    command = line.replace("\\%", "%")  # what cron itself does
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == word


def test_words_are_quoted_for_a_unit():
    assert systemd_text(["a b", "50%", "$x", 'q"']) == r'"a b" "50%%" "$$x" "q\""'


def test_the_workflow_installs_what_it_is_told_to():
    install = "pip install 'model-deployer @ git+https://git.example/o/r@c0ffee' # it's \"pinned\""
    (text,) = schedules.files("github", "stop", [], None, [LOGIN], install).values()
    assert yaml.safe_load(text)["jobs"]["idle"]["steps"][-2] == {"run": install}


def test_the_workflow_of_a_checkout_is_refused_without_the_command_that_installs_it():
    with pytest.raises(UsageError, match="another machine") as caught:
        schedules.files("github", "stop", [], None, [LOGIN])
    assert "--install" in (caught.value.hint or "")


@pytest.mark.parametrize("place", ["cron", "systemd"])
def test_where_nothing_is_installed_no_command_is_taken(place):
    with pytest.raises(UsageError, match="of that machine"):
        schedules.files(place, "stop", [], None, [LOGIN], "pip install x")
