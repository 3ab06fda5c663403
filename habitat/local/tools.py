"""`make tools`: Chromium and RabbitMQ from Debian, and the Node packages of package.json."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
# program that must be there → Debian package that brings it
DEBIAN = {"chromium": "chromium", "rabbitmq-server": "rabbitmq-server", "node": "nodejs", "npm": "npm"}


def main() -> int:
    missing = sorted(package for program, package in DEBIAN.items() if not _present(program))
    if missing and not _apt_get(missing):
        return 1
    sys.stdout.write("Node packages of package.json …\n")
    sys.stdout.flush()
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    return subprocess.run(command, cwd=CHECKOUT, check=False).returncode


def _present(program: str) -> bool:
    # Debian keeps daemons in sbin, which a person's PATH need not name.
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is not None


def _apt_get(packages: list[str]) -> bool:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        sys.stderr.write(f"Missing: {', '.join(packages)}. On Debian, as root: apt-get install {' '.join(packages)}\n")
        return False
    sys.stdout.write(f"Installing {', '.join(packages)} from Debian …\n")
    sys.stdout.flush()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    if subprocess.run(install, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0:
        return True
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
    return subprocess.run(install, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
