"""Makes the project's environment: `python3 tools/set_up.py .venv`.

Needs nothing but a Python and a package registry. Everything that is installed, this installer's own
tool included, is named in `requirements.lock` with its hash. Written in the Python of ten years ago,
so that an old Python can say that it is too old.
"""

import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from typing import NoReturn

OLDEST = (3, 11)
NEWER_NAMES = ("python3.13", "python3.12", "python3.11", "python3.14")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOCK = os.path.join(ROOT, "requirements.lock")
CI_LOCK = os.path.join(ROOT, "ci.lock")


def give_up(message: str, hint: str) -> NoReturn:
    """End with a letter rather than with a traceback."""
    sys.exit("set-up: {}\n\nhint: {}".format(message, hint))


def run(*command: str, **environment: str) -> None:
    """Run a command with its output shown; what went wrong is told by the command itself."""
    result = subprocess.call(command, env=dict(os.environ, **environment))
    if result != 0:
        give_up(
            "`{}` ended with {}".format(" ".join(command), result),
            "the lines above say why; when it is the network, the same command again goes on from there",
        )


def output_of(*command: str) -> str:
    """What a command says, or nothing where it fails."""
    try:
        said = subprocess.check_output(command, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.decode("utf-8", "replace").strip()


def version_of(python: str) -> "tuple[int, ...]":
    """(3, 11) of a Python, or () where it does not start (a shim without a Python behind it)."""
    said = output_of(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    return tuple(int(part) for part in said.split(".")) if said else ()


def new_enough_python() -> str:
    """This Python, or a newer one on the path."""
    if sys.version_info >= OLDEST:
        return sys.executable
    for name in NEWER_NAMES:
        found = shutil.which(name)
        if found and version_of(found) >= OLDEST:
            return found
    give_up(
        "this is Python {}.{}, and modelworks needs {}.{} or newer".format(*(sys.version_info[:2] + OLDEST)),
        "on Debian 12, Ubuntu 24.04 or newer: sudo apt-get install -y python3 python3-venv",
    )


def python_in(environment: str) -> str:
    return os.path.join(environment, "Scripts" if os.name == "nt" else "bin", "python")


def program_in(environment: str, name: str) -> str:
    return os.path.join(os.path.dirname(python_in(environment)), name)


def can_import(python: str, module: str) -> bool:
    return output_of(python, "-c", "import {}; print('yes')".format(module)) == "yes"


def locked(name: str) -> str:
    """The lines of the lock that name one package and its hashes."""
    with open(LOCK) as lock:
        found = re.search(r"(?m)^{}==.*(?:\n[ \t]+--hash=.*)+".format(re.escape(name)), lock.read())
    if found is None:
        give_up("requirements.lock does not name `{}`".format(name), "run `make lock` where modelworks works")
    return found.group(0) + "\n"


def install_uv(pip: "list[str]") -> None:
    """Put the locked uv into the environment with whichever pip there is."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = os.path.join(folder, "uv.txt")
        with open(wanted, "w") as file:
            file.write(locked("uv"))
        run(*pip, "install", "--quiet", "--no-deps", "--require-hashes", "-r", wanted)


def make_environment(python: str, environment: str) -> None:
    """An environment that holds uv. Debian splits off what `venv` needs, so there are three ways to one."""
    here, uv = python_in(environment), shutil.which("uv")
    if can_import(python, "ensurepip.__main__"):
        run(python, "-m", "venv", "--clear", environment)
        install_uv([here, "-m", "pip"])
    elif can_import(python, "pip"):
        run(python, "-m", "venv", "--clear", "--without-pip", environment)
        install_uv([python, "-m", "pip", "--python", here])
    elif uv:
        run(uv, "venv", "--quiet", "--clear", "--python", python, environment)
        shutil.copy2(uv, program_in(environment, "uv"))
    else:
        give_up(
            "this Python comes without the part that makes environments, and there is neither pip nor uv",
            "run once: sudo apt-get install -y python3-venv",
        )


def network_settings(python: str) -> "dict[str, str]":
    """What this machine has told pip and the system holds for uv as well, which asks neither.

    A team's own package index, and the certificates of a network that looks into its traffic.
    """
    settings = {}
    if "UV_DEFAULT_INDEX" not in os.environ:
        index = os.environ.get("PIP_INDEX_URL") or output_of(python, "-m", "pip", "config", "get", "global.index-url")
        settings.update({"UV_DEFAULT_INDEX": index} if index else {})
    if ssl.get_default_verify_paths().cafile:
        settings["UV_SYSTEM_CERTS"] = os.environ.get("UV_SYSTEM_CERTS", "true")
    return settings


def fill(environment: str) -> None:
    """Exactly what the lock says, then the package itself, built by a locked builder with no downloads."""
    uv, python = program_in(environment, "uv"), python_in(environment)
    settings = network_settings(python)
    run(uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", "--compile-bytecode", LOCK, **settings)
    if os.environ.get("MODELWORKS_CI") == "1":
        # Servers and a second opinion to test against, which nobody needs who only uses the package.
        run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", CI_LOCK, **settings)
    run(
        *[uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "--no-build-isolation", "--offline"],
        *["--editable", ROOT],
    )


def main(arguments: "list[str]") -> None:
    if len(arguments) != 1:
        give_up("one argument is wanted: the folder of the environment", "python3 tools/set_up.py .venv")
    environment = os.path.abspath(arguments[0])
    python = new_enough_python()
    if version_of(python_in(environment)) < OLDEST or not os.path.exists(program_in(environment, "uv")):
        make_environment(python, environment)
    fill(environment)
    with open(os.path.join(environment, ".ready"), "w"):
        pass
    start = program_in(arguments[0], "activate")
    sys.stderr.write("next: source {}, and `modelworks` is a command of this terminal\n".format(start))


if __name__ == "__main__":
    main(sys.argv[1:])
