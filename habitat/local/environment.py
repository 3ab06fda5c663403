"""The virtual environment, made and filled from the pinned requirements; a second time costs nothing.

Run by `make` with whatever `python3` the machine has, before anything is installed. It therefore keeps to the
standard library, and to a syntax that a Python too old for the house can still read, so that it can say so.
"""

import hashlib
import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
REQUIREMENTS = {"run": "requirements.txt", "dev": "requirements-dev.txt"}
# What tests need includes what running needs.
SATISFIED_BY = {"run": ("run", "dev"), "dev": ("dev",)}


def main(argv):
    """`environment.py run|dev`: exit 0 when `.venv` holds what is needed."""
    if len(argv) != 2 or argv[1] not in REQUIREMENTS:
        return complain("usage: environment.py run|dev")
    needed = argv[1]
    if sys.version_info < OLDEST:
        return with_newer_python(argv)
    if any(installed(kind) for kind in SATISFIED_BY[needed]):
        return 0
    if version_of(PYTHON) is None or version_of(PYTHON) < OLDEST:
        say("Making the virtual environment .venv with Python {}.{} ...".format(*sys.version_info[:2]))
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], stdout=subprocess.PIPE, check=False)
        if made.returncode != 0:
            shutil.rmtree(VENV, ignore_errors=True)
            return complain(
                "Python cannot make virtual environments here. On Debian or Ubuntu: apt-get install python3-venv"
            )
    return install(needed)


def with_newer_python(argv):
    for minor in range(19, OLDEST[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            return subprocess.call([newer] + argv)
    here = "{}.{} ({})".format(sys.version_info[0], sys.version_info[1], sys.executable)
    return complain(
        "Habitat needs Python 3.11 or later; python3 here is " + here + ". "
        "Install a newer one, or name it: make PYTHON=/path/to/python3.11 ..."
    )


def install(kind):
    path = os.path.join(ROOT, REQUIREMENTS[kind])
    wanted = count_pins(path)
    say(f"Installing {wanted} pinned packages of {REQUIREMENTS[kind]} (a minute or two) ...")
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    command += ["--require-hashes", "-r", path]
    tail = []
    seen = 0
    pip = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    for line in pip.stdout:
        tail = [*tail[-30:], line]
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            seen += 1
            if seen % 20 == 0:
                say(f"  {seen} of about {wanted} fetched")
        elif line.startswith("Installing collected"):
            say("  unpacking")
    if pip.wait() != 0:
        sys.stderr.write("".join(tail))
        return complain(f"pip could not install {REQUIREMENTS[kind]}; its last words are above.")
    with open(stamp(kind), "w") as file:
        file.write(fingerprint(kind))
    return 0


def installed(kind):
    try:
        with open(stamp(kind)) as file:
            return file.read() == fingerprint(kind)
    except OSError:
        return False


def stamp(kind):
    return os.path.join(VENV, ".habitat-" + kind)


def fingerprint(kind):
    """What was installed, with which Python, where: a moved folder or a new interpreter means installing again."""
    with open(os.path.join(ROOT, REQUIREMENTS[kind]), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return f"{digest} {version_of(PYTHON)} {VENV}\n"


def version_of(python):
    try:
        answer = subprocess.check_output([python, "-c", "import sys; print(*sys.version_info[:2])"])
    except (OSError, subprocess.CalledProcessError):
        return None
    return tuple(int(number) for number in answer.split())


def count_pins(path):
    with open(path) as file:
        return sum(1 for line in file if "==" in line and not line.startswith((" ", "#")))


def say(sentence):
    print(sentence, flush=True)


def complain(sentence):
    sys.stderr.write(sentence + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
