"""Sensitive data: encrypted where they lie, with age (https://age-encryption.org), and in the clear only in memory.

Who may read them is said by public keys in `modelworks.toml`. The secret key is in the environment, or in a file
outside the repository, and goes nowhere else: not into a run, a log, a letter or a report.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from modelworks.errors import Letter, ModelworksError, counted, fail
from modelworks.inputs._reading import file_bytes, resolve, shown
from modelworks.inputs._writing import replace_file
from modelworks.inputs.repository import SETTINGS, Repository

if TYPE_CHECKING:
    from pyrage.x25519 import Identity

ENDING = ".age"
# The secret key itself, or the file it is in.
# What is said to who has no key to sensitive data.
NO_KEY = "D170"
KEY_VARIABLE, KEY_FILE_VARIABLE = "MODELWORKS_DATA_KEY", "MODELWORKS_DATA_KEY_FILE"
_CATALOGUE = Path("data") / "catalogue.yaml"
# Where there is such a folder, it is in memory and never on a disk.
_IN_MEMORY = Path("/dev/shm")


def is_encrypted(path: Path | str) -> bool:
    return str(path).endswith(ENDING)


def decrypted(found: bytes, path: Path, root: Path) -> bytes:
    """The clear bytes of an encrypted file.

    Raises
    ------
    ModelworksError
        D170 where there is no key, D171 where the keys that there are do not open the file.
    """
    import pyrage

    keys = _secret_keys(root)
    try:
        clear: bytes = pyrage.decrypt(found, keys)
    except pyrage.DecryptError:
        name = shown(path, root)
        hint = "ask for it to be encrypted for your key as well, or, if it does not begin with `age-`, for the file"
        fail(
            "D171",
            f"`{name}` is not encrypted for {counted(len(keys), 'key')} of yours, or damaged",
            hint=hint,
            file=name,
        )
    return clear


def encrypted(clear: bytes, root: Path) -> bytes:
    """The same bytes for the eyes of those whose public keys the settings have; a letter where there is none (D172)."""
    import pyrage

    texts = Repository.around(root).recipients
    if not texts:
        hint = 'make a key with `modelworks data key`, and write [data] and then recipients = ["age1…"]'
        fail("D172", "nobody could read what is encrypted: the settings name no public key", hint=hint, file=SETTINGS)
    try:
        recipients = [pyrage.x25519.Recipient.from_str(text) for text in texts]
    except pyrage.RecipientError:
        fail("D172", "`recipients` has a text that is no public key", hint="one begins with age1", file=SETTINGS)
    closed: bytes = pyrage.encrypt(clear, recipients)
    return closed


def encrypt_file(path: Path, root: Path) -> Path:
    """Encrypt a file of data and remove the clear one; the catalogue follows. Gives the encrypted file.

    Raises
    ------
    ModelworksError
        D102 where the file is not there, D172 where nobody could read it afterwards.
    """
    clear = file_bytes(path, root, "D102")
    target = path.with_name(path.name + ENDING)
    if target.exists():
        fail("D172", f"`{shown(target, root)}` is there already", hint="remove the one that is not wanted")
    closed = encrypted(clear, root)
    replace_file(target, closed)
    _rewrite_catalogue(root, path, hashlib.sha256(clear).hexdigest(), hashlib.sha256(closed).hexdigest())
    path.unlink()
    return target


def _rewrite_catalogue(root: Path, path: Path, before: str, after: str) -> None:
    """Whoever named the clear file names the encrypted one."""
    catalogue = root / _CATALOGUE
    if not catalogue.is_file():
        return
    name = resolve(path).relative_to(resolve(root / "data")).as_posix()
    text = catalogue.read_text(encoding="utf-8")
    changed = re.sub(rf"(?<![\w./-]){re.escape(name)}(?![\w.-])", name + ENDING, text).replace(before, after)
    replace_file(catalogue, changed.encode())


def new_key(path: Path) -> str:
    """Write a new secret key into a file that only its owner can read; gives the public key that belongs to it."""
    import pyrage

    if path.exists():
        fail(
            "D177",
            f"there is a file `{path}` already",
            hint="a key that is lost opens nothing: move it, or name another",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    identity = pyrage.x25519.Identity.generate()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"# public key: {identity.to_public()}\n{identity}\n")
    return str(identity.to_public())


def _secret_keys(root: Path) -> Sequence[Identity]:
    """The keys of the environment and of the key file."""
    import pyrage

    texts = [os.environ.get(KEY_VARIABLE, "")]
    named = os.environ.get(KEY_FILE_VARIABLE) or Repository.around(root).key_file
    file = Path(named).expanduser() if named else None
    if file is not None and file.is_file():
        texts += file.read_text(encoding="utf-8").splitlines()
    found = [text.strip() for text in texts if text.strip() and not text.startswith("#")]
    if not found:
        where = f"`{named}` is no file" if named else f"neither {KEY_VARIABLE} nor {KEY_FILE_VARIABLE} is set"
        fail(
            NO_KEY,
            f"the data are encrypted, and there is no key: {where}",
            hint=f"set {KEY_FILE_VARIABLE}, or `key_file` in [data]",
        )
    try:
        return [pyrage.x25519.Identity.from_str(text) for text in found]
    except pyrage.IdentityError:
        # Not the text itself: it may be all but a key.
        fail(NO_KEY, "what is given as a secret key is none", hint="one begins with AGE-SECRET-KEY-1")


@contextmanager
def in_the_clear(paths: Sequence[Path], root: Path) -> Iterator[list[Path]]:
    """The same files for a function that reads them: encrypted ones as clear copies that are gone afterwards."""
    if not any(map(is_encrypted, paths)):
        yield list(paths)
        return
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        copies = []
        for number, path in enumerate(paths):
            if is_encrypted(path):
                copy = Path(folder) / str(number) / path.name.removesuffix(ENDING)
                copy.parent.mkdir()
                copy.write_bytes(decrypted(file_bytes(path, root, "D102"), path, root))
            copies.append(copy if is_encrypted(path) else path)
        yield copies


def without_contents(error: Exception, doing: str) -> ModelworksError:
    """A mistake in sensitive data, told without a cell of them."""
    letters = error.letters if isinstance(error, ModelworksError) else ()
    what = ", ".join(dict.fromkeys(letter.code for letter in letters)) or type(error).__name__
    first = letters[0] if letters else None
    hint = "the data are sensitive, so their cells are not shown here; `modelworks explain` says what the code means"
    letter = Letter(
        "D176", f"{doing} stopped with {what}", hint, first.file if first else None, first.line if first else None
    )
    return ModelworksError([letter])
