"""Asking the model hub: a double on loopback answers, refuses, or is not there."""

from __future__ import annotations

import json
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler

import pytest

from deployer.core.errors import PrerequisiteError, UsageError
from deployer.sources import model_access
from deployer.sources.adapter_hub import fetch as fetch_adapter
from deployer.sources.model_hub import fetch as hub_fetch
from tests.kits.loopback import served
from tests.kits.processes import PATIENCE_S

fetch = partial(hub_fetch, timeout=PATIENCE_S)

SHA = "0123456789abcdef0123456789abcdef01234567"
NOW = "2026-07-01"
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "torch_dtype": "bfloat16",
}


def shard(name: str, size: int) -> bytes:
    raw = json.dumps({name: {"dtype": "BF16", "shape": [size], "data_offsets": [0, 2 * size]}})
    return struct.pack("<Q", len(raw)) + raw.encode() + bytes(16)


@dataclass
class Hub:
    """A model hub with one model. `files` are its contents, `refuse` a status and the hub's error code."""

    files: dict[str, bytes] = field(default_factory=dict)
    refuse: tuple[int, str] | None = None
    refuse_files: tuple[int, str] | None = None
    gated: str | bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return a status, the hub's error code, and the body."""
        if path.startswith("/api/models/a/b"):
            siblings = [{"rfilename": name} for name in self.files]
            model = {"id": "a/b", "sha": SHA, "siblings": siblings, "gated": self.gated}
            return (*(self.refuse or (200, "")), json.dumps(model).encode())
        name = path.removeprefix(f"/a/b/resolve/{SHA}/").removeprefix("/a/b/resolve/main/")
        if name not in self.files:
            return 404, "EntryNotFound", b""
        return (*(self.refuse_files or (200, "")), self.files[name])


@pytest.fixture
def hub():
    made = Hub({"config.json": json.dumps(CONFIG).encode(), "model.safetensors": shard("w", 8)})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self, *, body: bool = True) -> None:
            made.asked.append(f"{self.command} {self.path}")
            status, code, data = made.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("ETag", '"e"')
            self.send_header("X-Repo-Commit", SHA)
            if code:
                self.send_header("X-Error-Code", code)
            with suppress(OSError):  # whoever asked may have given up
                self.end_headers()
                self.wfile.write(data if body else b"")

        def do_HEAD(self) -> None:
            self.do_GET(body=False)

        def log_message(self, *_args):
            pass

    with served(Handler) as url:
        made.url = url
        yield made


def test_a_model_is_described_by_its_config_and_its_headers(hub, tmp_path):
    found = fetch("a/b", None, tmp_path, NOW, hub.url)
    assert found.reason is None
    assert found.info is not None
    assert (found.info.name, found.info.layers, found.info.params_total) == ("a/b", 2, 8)
    assert (found.info.weights_bytes, found.info.native_dtype) == (16, "bf16")
    host = hub.url.removeprefix("http://")
    assert found.info.origins["weights_bytes"] == f"{host}, fetched {NOW}"


def test_the_file_that_says_the_quantization_is_fetched_too(hub, tmp_path):
    quant = {"quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}}
    hub.files["hf_quant_config.json"] = json.dumps(quant).encode()
    hub.files["config.json"] = json.dumps(CONFIG | {"limit": float("inf")}).encode()
    raw = json.dumps({"w": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}})
    hub.files["model.safetensors"] = struct.pack("<Q", len(raw)) + raw.encode() + bytes(8)
    for found in (fetch("a/b", None, tmp_path, NOW, hub.url) for _ in range(2)):  # and as kept
        assert found.info is not None
        assert (found.info.native_dtype, found.info.kv_share) == ("nvfp4", 0.5)
        assert found.info.params_total == 16


def test_every_shard_counts_and_other_files_do_not(hub, tmp_path):
    hub.files.pop("model.safetensors")
    hub.files |= {f"model-0000{n}-of-000002.safetensors": shard(f"w{n}", 8) for n in (1, 2)}
    hub.files["consolidated.safetensors"] = shard("w", 16)
    found = fetch("a/b", None, tmp_path, NOW, hub.url)
    assert found.info is not None
    assert found.info.params_total == 16


@pytest.mark.parametrize("later", [NOW, f"{NOW}T09:00:00+00:00", "2026-07-02"])
def test_the_second_time_on_one_day_needs_no_network(hub, tmp_path, later):
    first = fetch("a/b", "v1", tmp_path, NOW, hub.url)
    hub.asked.clear()
    assert fetch("a/b", "v1", tmp_path, later, hub.url) == first
    assert hub.asked == []


@pytest.mark.parametrize("later", ["2026-07-02T00:00:01+00:00", "2030-01-01", "2026-06-30"])
def test_an_older_answer_is_asked_for_anew(hub, tmp_path, later):
    fetch("a/b", "v1", tmp_path, NOW, hub.url)
    hub.files["config.json"] = json.dumps(CONFIG | {"num_hidden_layers": 3}).encode()
    found = fetch("a/b", "v1", tmp_path, later, hub.url)
    assert found.info is not None
    assert found.info.layers == 3
    assert f"fetched {later}" in found.info.origins["layers"]


def test_what_is_known_of_a_commit_never_grows_old(hub, tmp_path):
    first = fetch("a/b", SHA, tmp_path, NOW, hub.url)
    hub.asked.clear()
    assert fetch("a/b", SHA, tmp_path, "2030-01-01", hub.url) == first
    assert hub.asked == []


@pytest.mark.parametrize("offline", [True, False])
def test_an_older_answer_is_used_and_named_where_the_hub_is_not_reached(
    hub, tmp_path, monkeypatch, offline
):
    first = fetch("a/b", None, tmp_path, NOW, hub.url)
    if offline:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = fetch("a/b", None, tmp_path, "2030-01-01", "http://127.0.0.1:9")
    assert found.info is not None
    assert first.info is not None
    (note,) = set(found.info.notes) - set(first.info.notes)
    assert note.endswith(f"using the model hub's answer of {NOW}")
    assert ("HF_HUB_OFFLINE" in note) == offline


def test_another_revision_is_asked_for_by_its_name(hub, tmp_path):
    fetch("a/b", None, tmp_path, NOW, hub.url)
    hub.asked.clear()
    fetch("a/b", "v1", tmp_path, NOW, hub.url)
    assert hub.asked[0] == "GET /api/models/a/b/revision/v1"


def test_a_damaged_cache_is_asked_for_again(hub, tmp_path):
    first = fetch("a/b", None, tmp_path, NOW, hub.url)
    (kept,) = tmp_path.iterdir()
    kept.write_text("{")
    assert fetch("a/b", None, tmp_path, NOW, hub.url) == first
    assert json.loads(kept.read_text())["fetched_at"] == NOW


def test_a_cache_that_cannot_be_written_costs_nothing(hub, tmp_path):
    (tmp_path / "cache").touch()
    assert fetch("a/b", None, tmp_path / "cache", NOW, hub.url).info is not None


def test_a_model_without_safetensors_has_unknown_weights(hub, tmp_path):
    hub.files.pop("model.safetensors")
    found = fetch("a/b", None, tmp_path, NOW, hub.url)
    assert found.info is not None
    assert (found.info.layers, found.info.weights_bytes) == (2, None)


@pytest.mark.parametrize(
    ("refuse", "says"),
    [
        ((404, "RepoNotFound"), "a/b is not on the model hub, or is private"),
        ((404, "RevisionNotFound"), "a/b has no such revision"),
        ((403, "GatedRepo"), "a/b is gated: accept its terms"),
        ((400, ""), "cannot be reached"),
    ],
)
def test_a_refusal_is_named_with_its_mend_and_not_kept(hub, tmp_path, refuse, says):
    hub.refuse = refuse
    found = fetch("a/b", None, tmp_path, NOW, hub.url)
    assert found.info is None
    assert says in (found.reason or "")
    assert list(tmp_path.iterdir()) == []


def test_a_gated_model_whose_page_is_open_is_named_as_gated(hub, tmp_path):
    hub.refuse_files = (403, "GatedRepo")
    found = fetch("a/b", None, tmp_path, NOW, hub.url)
    assert "a/b is gated" in (found.reason or "")
    assert found.gated


@pytest.mark.parametrize("gated", ["auto", "manual", False])
def test_a_gated_model_that_may_be_read_is_known_to_be_gated(hub, tmp_path, gated):
    hub.gated = gated
    for _ in ("asked", "kept"):
        info = fetch("a/b", None, tmp_path, NOW, hub.url).info
        assert info is not None
        assert info.gated is bool(gated)


def test_one_copy_of_the_weights_counts_and_a_lost_shard_is_said(hub, tmp_path):
    hub.files |= {f"model-0000{n}-of-00002.safetensors": shard(f"w{n}", 8) for n in (1, 2)}
    info = fetch("a/b", None, tmp_path / "1", NOW, hub.url).info
    assert info is not None
    assert info.params_total == 8
    hub.files.pop("model-00001-of-00002.safetensors")
    reason = fetch("a/b", None, tmp_path / "2", NOW, hub.url).reason or ""
    assert "1 of 2 weight files: model-00001-of-00002.safetensors missing" in reason


ADAPTER = {"base_model_name_or_path": "org/base", "r": 64, "peft_type": "LORA", "lora_alpha": 16}


def test_a_repository_with_an_adapter_alone_is_no_model(hub, tmp_path):
    hub.files = {"adapter_config.json": json.dumps(ADAPTER).encode()}
    with pytest.raises(UsageError, match="a/b is a LoRA adapter, not a model") as caught:
        fetch("a/b", None, tmp_path, NOW, hub.url)
    assert "model.adapter to hf:a/b" in str(caught.value.hint)


def test_an_adapter_is_opened_at_the_hub_and_kept(hub, tmp_path):
    name = "base_model.model.layers.0.self_attn.q_proj.lora_A.weight"
    raw = json.dumps({name: {"dtype": "F32", "shape": [64, 8], "data_offsets": [0, 2048]}}).encode()
    weights = struct.pack("<Q", len(raw)) + raw + bytes(2048)
    hub.files = {
        "adapter_config.json": json.dumps(ADAPTER).encode(),
        "adapter_model.safetensors": weights,
    }
    found = fetch_adapter("a/b", tmp_path, NOW, hub.url, PATIENCE_S)
    assert (found.base, found.rank, found.nbytes, found.lacking) == ("org/base", 64, 2048, None)
    hub.asked.clear()
    assert fetch_adapter("a/b", tmp_path, NOW, hub.url, PATIENCE_S) == found
    assert hub.asked == []


@pytest.mark.parametrize(
    ("files", "refuse", "lacking"),
    [
        (["config.json"], None, "it has no adapter_config.json"),
        (["adapter_config.json"], None, "has no weights"),
        ([], (404, "RepoNotFound"), "is not on the model hub"),
        ([], (403, "GatedRepo"), "is gated"),
    ],
)
def test_an_adapter_that_no_engine_could_fetch_says_why(hub, tmp_path, files, refuse, lacking):
    hub.files, hub.refuse = dict.fromkeys(files, json.dumps(ADAPTER).encode()), refuse
    found = fetch_adapter("a/b", tmp_path, NOW, hub.url, PATIENCE_S)
    assert lacking in str(found.lacking)


def test_an_adapter_that_cannot_be_looked_up_is_unknown_and_not_refused(tmp_path):
    found = fetch_adapter("a/b", tmp_path, NOW, "http://127.0.0.1:9", PATIENCE_S)
    assert (found.lacking, found.rank) == (None, None)
    assert "cannot be reached" in found.notes[0]


@pytest.mark.parametrize(
    ("refuse", "token", "allowed"),
    [((403, "GatedRepo"), "hf_x", False), (None, "hf_x", True), ((401, "GatedRepo"), None, False)],
)
def test_a_gated_model_is_refused_before_anything_is_made(hub, monkeypatch, refuse, token, allowed):
    hub.refuse_files = refuse
    monkeypatch.setattr("huggingface_hub.get_token", lambda: token)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    if allowed:
        model_access.refuse_locked("a/b@main")
        return
    with pytest.raises(PrerequisiteError, match="a/b is gated") as caught:
        model_access.refuse_locked("a/b")
    assert "hf auth login" in str(caught.value.hint)


def test_a_model_without_config_is_named_so(hub, tmp_path):
    hub.files.pop("config.json")
    assert "no config.json" in (fetch("a/b", None, tmp_path, NOW, hub.url).reason or "")


def test_a_config_that_makes_no_sense_is_a_reason_and_no_crash(hub, tmp_path):
    hub.files["config.json"] = json.dumps(CONFIG | {"num_hidden_layers": -2}).encode()
    assert "num_hidden_layers" in (fetch("a/b", None, tmp_path, NOW, hub.url).reason or "")


def test_a_hub_that_is_not_there_is_a_reason(tmp_path):
    found = fetch("a/b", None, tmp_path, NOW, "http://127.0.0.1:9")
    assert found.info is None
    assert "cannot be reached" in (found.reason or "")


def test_a_hub_that_does_not_answer_is_given_up_without_a_second_try(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = hub_fetch("a/b", None, tmp_path, NOW, url, timeout=0.1)
        assert "cannot be reached" in (found.reason or "")
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()  # a plan does not wait for another


def test_a_name_that_the_hub_cannot_have_is_said_to_be_none(tmp_path):
    assert "<owner>/<name>" in (fetch("a b/c", None, tmp_path, NOW).reason or "")


def test_offline_asks_nobody_but_the_cache_still_answers(hub, tmp_path, monkeypatch):
    fetch("a/b", None, tmp_path, NOW, hub.url)
    hub.asked.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch("a/b", None, tmp_path, NOW, hub.url).info is not None
    assert "HF_HUB_OFFLINE" in (fetch("a/c", None, tmp_path, NOW, hub.url).reason or "")
    assert hub.asked == []


def test_the_endpoint_of_the_environment_is_used(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    assert fetch("a/b", None, tmp_path, NOW).info is not None
