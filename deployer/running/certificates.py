"""The certificate authority of one deployment: made once, kept in its secret, trusted by its client alone.

Without a domain of one's own no public authority vouches for a rented machine's address, which changes besides. So
each deployment has an authority that signs nothing else: the machine issues itself a certificate for its present
address at every start, and the client trusts the authority. A name constraint (RFC 5280, 4.2.1.10) keeps it to
addresses and to the load balancer's domain: with its key nobody can vouch for a name of the web.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography import x509

AUTHORITY_DAYS = 3650
LEAF_DAYS = 396
"""Browsers and Python accept server certificates of up to 398 days (CA/Browser Forum, 2020)."""
NO_NAMES = "invalid"
"""The domain that no name of the web is under (RFC 2606)."""
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
EARLIER = timedelta(hours=1)
"""Clocks differ: a certificate is good from an hour before it was made."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key as PEM text. The key is not shown when this is printed."""

    certificate: str
    key: str = field(repr=False)


def authority(deployment: str, host: str | None = None, now: datetime | None = None) -> Pair:
    """Make the authority of a deployment. It can sign certificates of servers and no further authority.

    They are for addresses, and for what is under the domain of `host` (`*.example.com`), where one is given.
    """
    from cryptography import x509

    key = _new_key()
    name = _name(f"deployer {deployment}"[:64])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(_constraints(host), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _signed(made, key, key)


def may_sign(issuer: Pair, host: str) -> bool:
    """Tell whether an authority may vouch for a name (`*.example.com`); one without a constraint may for all."""
    from cryptography import x509

    known = x509.load_pem_x509_certificate(issuer.certificate.encode())
    try:
        found = known.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return True
    return x509.DNSName(_domain(host)) in (found.permitted_subtrees or [])


def is_signed_by(pair: Pair, issuer: Pair) -> bool:
    """Tell whether a certificate is of this authority, and not of one before it."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    own, parent = (
        x509.load_pem_x509_certificate(one.certificate.encode()) for one in (pair, issuer)
    )
    try:
        own.verify_directly_issued_by(parent)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def bundle(authority: Path, trusted: str | None) -> str:
    """Return the certificates to trust besides a deployment's authority, and that: for a client that reads one file.

    `trusted` is the file that the user trusts already (SSL_CERT_FILE); None: what this system trusts.
    """
    import certifi

    own = trusted or ssl.get_default_verify_paths().cafile or certifi.where()
    try:
        known = Path(own).read_text(errors="replace")
    except OSError:
        known = Path(certifi.where()).read_text()
    found = PEM.findall(authority.read_text()) + PEM.findall(known)
    return "".join(f"{one}\n" for one in dict.fromkeys(found))


def _constraints(host: str | None) -> x509.NameConstraints:
    from cryptography import x509

    domain = x509.DNSName(_domain(host) if host else NO_NAMES)
    every = [x509.IPAddress(ip_network(block)) for block in ("0.0.0.0/0", "::/0")]
    return x509.NameConstraints(permitted_subtrees=[domain, *every], excluded_subtrees=None)


def _domain(host: str) -> str:
    return host.removeprefix("*.")


def leaf(issuer: Pair, hosts: Sequence[str], now: datetime | None = None) -> Pair:
    """Issue a server's certificate for some addresses and names (`*.example.com` among them)."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509.oid import ExtendedKeyUsageOID

    parent = x509.load_pem_x509_certificate(issuer.certificate.encode())
    parent_key: Any = load_pem_private_key(issuer.key.encode(), None)
    key = _new_key()
    made = (
        _builder(parent.subject, _name("deployer"), key.public_key(), now, LEAF_DAYS)
        .add_extension(
            x509.SubjectAlternativeName([_alternative(h) for h in hosts]), critical=False
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(parent_key.public_key()),
            critical=False,
        )
    )
    return _signed(made, key, parent_key)


def _new_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _name(text: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    issuer: x509.Name, subject: x509.Name, key: Any, now: datetime | None, days: int
) -> x509.CertificateBuilder:
    from cryptography import x509

    start = (now or datetime.now(UTC)) - EARLIER
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )


def _signed(made: x509.CertificateBuilder, key: Any, signer: Any) -> Pair:
    from cryptography.hazmat.primitives import hashes, serialization

    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    certificate = made.sign(signer, hashes.SHA256())
    return Pair(certificate.public_bytes(serialization.Encoding.PEM).decode(), text.decode())
