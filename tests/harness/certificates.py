"""A certificate authority of a test's own, by the command openssl; for loopback and a few days."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """The PEM files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; its own is `root`, in a directory."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self.root = self._made(name)
        subject = ["-subj", f"/CN={name}", "-days", "2", "-addext", "basicConstraints=CA:TRUE"]
        _openssl("req", "-x509", "-key", self.root.key, "-out", self.root.certificate, *subject)

    def sign(self, file: str, common_name: str) -> Certificate:
        """A certificate for `common_name`, also good for localhost, in files of that name."""
        made = self._made(file)
        request = made.key.with_suffix(".csr")
        names = made.key.with_suffix(".ext")
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        _openssl("req", "-new", "-key", made.key, "-out", request, "-subj", f"/CN={common_name}")
        signer = ["-CA", self.root.certificate, "-CAkey", self.root.key, "-CAcreateserial"]
        _openssl(
            "x509", "-req", "-in", request, *signer, "-days", "2", "-extfile", names,
            "-out", made.certificate,
        )  # fmt: skip
        return made

    def _made(self, file: str) -> Certificate:
        key = self._directory / f"{file}.key"
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        return Certificate(self._directory / f"{file}.pem", key)


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
