"""One deployment's certificate authority: trusted by nobody else, and good enough for a strict client."""

from __future__ import annotations

import ssl
import subprocess
from datetime import UTC, datetime
from typing import Any

import certifi
import pytest

from deployer.running.certificates import authority, bundle, is_signed_by, leaf, may_sign
from tests.kits.parts import need


@pytest.mark.parametrize("host", ["127.0.0.1", "x-1.us-east-1.elb.amazonaws.com"])
def test_a_strict_client_that_trusts_the_authority_is_served(host, tmp_path):
    made = authority("bot-cloud-gpu", "*.us-east-1.elb.amazonaws.com")
    own = leaf(made, ["127.0.0.1", "*.us-east-1.elb.amazonaws.com"])
    handshake(own, made.certificate, host, tmp_path)


def test_a_client_that_trusts_another_authority_is_not(tmp_path):
    own = leaf(authority("bot-cloud-gpu"), ["127.0.0.1"])
    other = authority("bot-cloud-gpu").certificate
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(own, other, "127.0.0.1", tmp_path)


def test_another_address_is_not_vouched_for(tmp_path):
    made = authority("bot-cloud-gpu")
    own = leaf(made, ["192.0.2.1"])
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        handshake(own, made.certificate, "127.0.0.1", tmp_path)


@pytest.mark.parametrize("host", [None, "*.us-east-1.elb.amazonaws.com"])
def test_the_authority_cannot_vouch_for_a_name_of_the_web(host, tmp_path):
    made = authority("bot-cloud-gpu", host)
    for name in ("huggingface.co", "elb.amazonaws.com"):
        with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
            handshake(leaf(made, [name]), made.certificate, name, tmp_path)


def test_who_may_sign_for_what():
    host = "*.us-east-1.elb.amazonaws.com"
    alone, fleet = authority("bot-cloud-gpu"), authority("bot-cloud-gpu", host)
    assert may_sign(fleet, host)
    assert not may_sign(alone, host)
    assert not may_sign(fleet, "*.eu-west-1.elb.amazonaws.com")
    assert is_signed_by(leaf(fleet, [host]), fleet)
    assert not is_signed_by(leaf(fleet, [host]), authority("bot-cloud-gpu", host))


def handshake(own: Any, trusted: str, host: str, folder: Any) -> None:
    (folder / "pair.pem").write_text(own.certificate + own.key)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "pair.pem")
    asking = ssl.create_default_context(cadata=trusted)
    asking.verify_flags |= ssl.VERIFY_X509_STRICT
    coming, going = (ssl.MemoryBIO() for _ in range(2))
    server = serving.wrap_bio(coming, going, server_side=True)
    client = asking.wrap_bio(going, coming, server_hostname=host)
    done: set[Any] = set()
    for _ in range(10):
        for side in (client, server):
            if side not in done:
                try:
                    side.do_handshake()
                    done.add(side)
                except ssl.SSLWantReadError:
                    pass
    assert done == {client, server}


def test_what_env_hands_over_trusts_the_web_as_before(tmp_path):
    certificate = authority("bot-cloud-gpu").certificate
    (tmp_path / "ca.pem").write_text(certificate)
    before = ssl.create_default_context(cafile=certifi.where()).cert_store_stats()["x509_ca"]
    (tmp_path / "trusted.pem").write_text(bundle(tmp_path / "ca.pem", certifi.where()))
    after = ssl.create_default_context(cafile=str(tmp_path / "trusted.pem"))
    assert after.cert_store_stats()["x509_ca"] == before + 1
    again = bundle(tmp_path / "ca.pem", str(tmp_path / "trusted.pem"))
    assert again == (tmp_path / "trusted.pem").read_text(), "said twice, it does not grow"


@pytest.mark.parametrize("trusted", [None, "/nowhere/at-all.pem"])
def test_where_no_file_is_trusted_the_systems_is(tmp_path, trusted):
    (tmp_path / "ca.pem").write_text(authority("bot-cloud-gpu").certificate)
    assert bundle(tmp_path / "ca.pem", trusted).count("BEGIN CERTIFICATE") > 50


def test_the_key_is_not_shown():
    made = authority("bot-cloud-gpu")
    assert "KEY" not in repr(made)
    assert "PRIVATE KEY" in made.key


def test_openssl_agrees(tmp_path):
    need("openssl", "the machine issues with it")
    made = authority("a" * 60 + "-cloud-gpu", now=datetime.now(UTC))
    (tmp_path / "ca.pem").write_text(made.certificate)
    (tmp_path / "leaf.pem").write_text(leaf(made, ["192.0.2.1"]).certificate)
    command = ["openssl", "verify", "-x509_strict", "-CAfile"]
    ran = subprocess.run(
        [*command, str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
