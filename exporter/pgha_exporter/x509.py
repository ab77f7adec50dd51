"""When a certificate ends, read from its DER form.

The standard library has no public function for it, and a whole cryptography library for one date
would cost as much memory as everything else. Structure: RFC 5280, 4.1; times: 4.1.2.5.
"""

from __future__ import annotations

import re
import ssl
from datetime import datetime, timezone

_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def not_after_of_pem(text: str) -> float:
    """Unix time at which the first of the certificates that are in the text ends.

    Raises:
        ValueError: there is none, or one of them is damaged.
    """
    found = _PEM.findall(text)
    if not found:
        raise ValueError("there is no certificate in it")
    return min(not_after(ssl.PEM_cert_to_DER_cert(pem)) for pem in found)


def not_after(der: bytes) -> float:
    """Unix time at which the certificate ends; raises ValueError for anything but a certificate."""
    try:
        certificate, _ = _element(der, 0, _SEQUENCE)
        body, _ = _element(certificate, 0, _SEQUENCE)
        at = _skip(body, 0) if body[0] == _VERSION else 0
        for _ in range(3):  # serial number, signature algorithm, issuer
            at = _skip(body, at)
        validity, _ = _element(body, at, _SEQUENCE)
        return _time(validity, _skip(validity, 0))
    except (IndexError, OverflowError) as err:
        raise ValueError("the certificate is cut off") from err


def _time(validity: bytes, at: int) -> float:
    kind = validity[at]
    raw, _ = _element(validity, at, kind)
    text = raw.decode("ascii", "replace")
    if kind == _UTC_TIME:
        # RFC 5280: two digits of 50 and more are of the last century.
        text = f"{'19' if text[:2] >= '50' else '20'}{text}"
    elif kind != _GENERALIZED_TIME:
        raise ValueError("the certificate has no end in the known form")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()


def _element(der: bytes, at: int, tag: int) -> tuple[bytes, int]:
    if der[at] != tag:
        raise ValueError("it is not a certificate")
    start, end = _bounds(der, at)
    return der[start:end], end


def _skip(der: bytes, at: int) -> int:
    return _bounds(der, at)[1]


def _bounds(der: bytes, at: int) -> tuple[int, int]:
    first = der[at + 1]
    if first < 0x80:
        start, size = at + 2, first
    else:
        digits = first & 0x7F
        if not 1 <= digits <= 4:
            raise ValueError("a length of the certificate has an unknown form")
        start = at + 2 + digits
        size = int.from_bytes(der[at + 2 : start], "big")
    if start + size > len(der):
        raise ValueError("the certificate is cut off")
    return start, start + size
