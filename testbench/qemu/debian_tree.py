"""Trees of Debian packages under the build folder, made without root.

apt resolves and downloads into a folder of its own (nothing of the machine's apt is changed, only
its mirror and proxy are read), the packages are unpacked, not installed: no maintainer script runs,
and programs are started by the tree's own dynamic loader. A tree appears under its name only when
it is whole; what an interrupted run left behind is removed by the next.
"""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

from problem import Missing, Problem

KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR_VARIABLE = "DOORBELL_DEBIAN_MIRROR"
CODENAMES = ("bookworm", "trixie", "forky", "sid", "stable", "testing", "unstable")
# Where Debian's packages of before and after the merged /usr meet.
MERGED = ("bin", "sbin", "lib", "lib64")
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def say(text):
    print(f"doorbell: {text}", file=sys.stderr, flush=True)


class Tree:
    """An unpacked tree and how its programs are started."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def find(self, name):
        """The file of program `name`, or None."""
        for folder in ("usr/bin", "usr/sbin"):
            file = self.path / folder / name
            if file.exists():
                return file
        return None

    def loader(self):
        return self.path / "usr/lib64/ld-linux-x86-64.so.2"

    def command(self, name):
        """The words that start program `name` with the tree's own libraries."""
        file = self.find(name)
        if file is None:
            raise Problem(f"{self.path} has no program '{name}': remove it, it is made anew")
        return [str(self.loader()), "--library-path", str(self.path / LIBRARIES), "--argv0",
                str(file), str(file)]

    def libraries(self, file):
        """The shared objects `file` needs, of the tree; none for a static program."""
        done = subprocess.run([str(self.loader()), "--library-path", str(self.path / LIBRARIES),
                               "--list", str(file)], capture_output=True, text=True)
        if done.returncode != 0:
            return []
        missing = re.findall(r"^\s*(\S+) => not found", done.stdout, re.MULTILINE)
        if missing:
            raise Problem(f"{file} needs {', '.join(missing)}, which {self.path} does not hold")
        return [pathlib.Path(found) for found in re.findall(r"=> (/\S+)", done.stdout)]


@contextlib.contextmanager
def locked(folder, what):
    """One process at a time makes things in `folder`; the others wait and say so."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another doorbell that makes {what}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def mirror():
    """Where this machine takes its Debian packages from."""
    chosen = os.environ.get(MIRROR_VARIABLE)
    if chosen:
        return chosen
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Missing("QEMU and the guest are made of Debian packages, and this machine has no "
                      "apt-get or dpkg-deb; give --qemu, --kernel and --initrd instead")
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(ORIGIN)",
         "Created-By: Packages"], capture_output=True, text=True).stdout
    for line in listed.splitlines():
        uri, release, *origin = line.split()
        # The origin is only known once the lists were fetched; then it decides.
        if "$(" not in "".join(origin) and origin and origin != ["Debian"]:
            continue
        if release in CODENAMES and uri.startswith(("http://", "https://", "file:")):
            return uri.rstrip("/")
    raise Missing("no source of Debian packages in this machine's apt configuration; name one, for "
                  f"instance {MIRROR_VARIABLE}=http://HOST/debian")


class Apt:
    """An apt of our own: folders under `folder`, an empty machine, the given suites."""

    def __init__(self, folder, suites):
        self.folder = folder
        self.suites = suites
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        if not KEYRING.exists():
            raise Missing(f"{KEYRING} is missing: install the package debian-archive-keyring")
        (folder / "sources.list").write_text("".join(
            f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n" for suite in suites))

    def run(self, *arguments):
        options = {
            "Dir::State": self.folder / "state",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Install-Recommends": "false",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            # As root apt would download as a user who may not write here.
            "APT::Sandbox::User": "root",
        }
        command = ["apt-get", "--quiet", "--yes"]
        for key, value in options.items():
            command += ["-o", f"{key}={value}"]
        done = subprocess.run(command + list(arguments), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            errors = [line for line in (done.stderr + done.stdout).splitlines()
                      if line.startswith(("E:", "W:", " "))]
            raise Missing(f"apt-get could not fetch packages of {' and '.join(self.suites)}:\n  "
                          + "\n  ".join(errors[-12:] or ["(it gave no reason)"]))
        return done.stdout

    def fetch(self, packages):
        """The .deb files of `packages` and of all they depend on."""
        self.run("update")
        arguments = ["install", "--target-release", self.suites[-1], *packages]
        wanted = [pathlib.Path(line.split()[1]).name for line in
                  self.run("--print-uris", *arguments).splitlines() if line.startswith("'")]
        self.run("--download-only", *arguments)
        files = [self.folder / "cache/archives" / name for name in wanted]
        lost = [file.name for file in files if not file.exists()]
        if lost or not files:
            raise Missing("apt-get said it was done, but did not bring "
                          + ", ".join(lost or packages))
        return files


def unpack(deb, folder, only):
    """Unpacks a package; `only` are patterns of what is kept of it (all, when empty)."""
    archive = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    done = subprocess.run(
        ["tar", "--extract", "--directory", str(folder), "--keep-directory-symlink",
         "--no-same-owner", "--no-same-permissions", "--wildcards", *only],
        stdin=archive.stdout, capture_output=True, text=True)
    archive.stdout.close()
    archive.wait()
    # A pattern that met nothing is no failure: a suite may lay its modules out in its own way.
    failed = [line for line in done.stderr.splitlines()
              if "Not found in archive" not in line and "Exiting with failure" not in line]
    if archive.returncode != 0 or failed:
        raise Problem(f"{deb.name} could not be unpacked into {folder}: "
                      + ("; ".join(failed[:3]) or f"dpkg-deb ended with {archive.returncode}"))


class Recipe:
    """What a tree is made of. `only` names packages of which only some paths are kept."""

    def __init__(self, name, suites, packages, only=None):
        self.name = name
        self.suites = tuple(suites)
        self.packages = tuple(packages)
        self.only = only or {}

    def digest(self):
        text = repr((self.name, self.suites, self.packages, sorted(self.only.items()), MERGED))
        return hashlib.sha256(text.encode()).hexdigest()


def make_tree(folder, recipe):
    """The tree of `recipe` under `folder`, made when it is not there, or is of another recipe."""
    whole = folder / recipe.name
    if is_whole(whole, recipe):
        return Tree(whole)
    with locked(folder, "a tree of packages"):
        if is_whole(whole, recipe):
            return Tree(whole)
        for left in (whole, *folder.glob(f"{recipe.name}.partial*")):
            shutil.rmtree(left, ignore_errors=True)
        say(f"fetching {' '.join(recipe.packages)} of Debian {' and '.join(recipe.suites)} "
            f"into {folder}")
        # One apt per set of suites: its lists serve every tree made of them.
        files = Apt(folder / ("apt-" + recipe.suites[-1]), recipe.suites).fetch(recipe.packages)
        size = sum(file.stat().st_size for file in files)
        say(f"unpacking {len(files)} packages, {size // 1_000_000} MB")
        partial = folder / f"{recipe.name}.partial"
        for name in MERGED:
            (partial / "usr" / name).mkdir(parents=True, exist_ok=True)
            (partial / name).symlink_to(f"usr/{name}")
        for file in files:
            package = file.name.split("_")[0]
            only = [path for pattern, paths in recipe.only.items()
                    if re.fullmatch(pattern, package) for path in paths]
            unpack(file, partial, only)
        (partial / ".recipe").write_text(recipe.digest())
        partial.rename(whole)
        for file in files:
            file.unlink(missing_ok=True)
    return Tree(whole)


def is_whole(path, recipe):
    try:
        return (path / ".recipe").read_text() == recipe.digest()
    except OSError:
        return False
