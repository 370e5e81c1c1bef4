"""Names of other people: safe in names of files and folders that are made here, and on terminals.

An id like `../x` would lead out of its folder.
"""

import re
from hashlib import sha256

# What no name may hold on some system; a percent sign, which marks them; and what hides a file.
UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff/\\%:*?"<>|]|^[.-]|[. ]$')
LONGEST_BYTES = 240  # of 255, so that a suffix fits


def file_name(key: str) -> str:
    """Return an id as the name of a file or folder: itself where that is safe, as most are.

    Other characters are written as in URLs; a name that would be too long ends in the id's sum.
    Two ids never have one name.

    >>> file_name("id10270-x6uYq-00001"), file_name("../x")
    ('id10270-x6uYq-00001', '%2E.%2Fx')
    """
    if not key:
        raise ValueError("an id is empty: name it")
    name = UNSAFE.sub(_encode, key)
    if len(name.encode()) <= LONGEST_BYTES:
        return name
    kept = name.encode()[: LONGEST_BYTES - 33].decode(errors="ignore")
    return f"{kept}%{sha256(key.encode(errors='surrogatepass')).hexdigest()[:32]}"


def printable(text: str) -> str:
    r"""Return a text without what would steer a terminal, or is no UTF-8, as names of files may be.

    >>> printable("Ünal\x1b[2J\udcff")
    'Ünal\\x1b[2J\\udcff'
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _encode(match: re.Match[str]) -> str:
    octets = match[0].encode(errors="surrogatepass")
    return "".join(f"%{octet:02X}" for octet in octets)
