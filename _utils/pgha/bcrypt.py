"""bcrypt hashes of passwords, made by the C library's crypt(3).

Prometheus' exporters take basic auth passwords in this form. Every Debian has libxcrypt, which
knows it; Python's own module ``crypt`` is gone since 3.13.
"""

from __future__ import annotations

import ctypes
import hmac
import re
import threading

from pgha.errors import FailedError

COST = 10
"""2^10 rounds, some 50 ms; what ``htpasswd -B`` of today takes is 5."""
_HASH = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")
_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# crypt(3) answers in one buffer that belongs to the whole process.
_lock = threading.Lock()


def is_hash(text: str) -> bool:
    """True for a whole bcrypt hash, 60 characters."""
    return bool(_HASH.fullmatch(text))


def hash_password(password: str, salt: bytes, cost: int = COST) -> str:
    """``$2b$<cost>$<salt><hash>``; the same salt (16 bytes) gives the same text.

    Raises:
        ValueError: the salt has not 16 bytes, or the password a NUL.
        FailedError: the C library of this server does not know bcrypt.
    """
    if len(salt) != 16:
        raise ValueError("bcrypt needs a salt of 16 bytes")
    return _crypt(password, f"$2b${cost:02d}${_encoded(salt)}")


def verify(password: str, known: str) -> bool:
    """Whether the password is the one of the hash."""
    if not is_hash(known) or "\0" in password:
        return False
    return hmac.compare_digest(_crypt(password, known).encode(), known.encode())


def _crypt(password: str, setting: str) -> str:
    if "\0" in password:
        raise ValueError("a password cannot hold a NUL")
    with _lock:
        try:
            crypt = ctypes.CDLL("libcrypt.so.1").crypt
        except OSError as err:
            raise FailedError(
                "libcrypt.so.1 is missing here; install the package libcrypt1."
            ) from err
        crypt.restype = ctypes.c_char_p
        result: bytes | None = crypt(password.encode(), setting.encode())
    text = (result or b"").decode("ascii", "replace")
    if not is_hash(text):
        raise FailedError(
            "libcrypt.so.1 of this server does not know bcrypt; use Debian's libcrypt1."
        )
    return text


def _encoded(salt: bytes) -> str:
    """bcrypt's own base64: 6 bits per character from the top, 22 for 16 bytes."""
    number = int.from_bytes(salt, "big") << 4
    return "".join(_ALPHABET[number >> 6 * place & 63] for place in range(21, -1, -1))
