"""What these tests use that is not in Python itself; without it they are skipped, visibly."""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".deps" / "kubernetes_checks"
KUBECTL = FOLDER / "bin" / "kubectl"
HADOLINT = FOLDER / "bin" / "hadolint"
# Of the build whose programs the manifests are compared with.
BIN = pathlib.Path(os.environ.get("WINDOWKV_BIN_DIR", ROOT / "build" / "release" / "bin"))

# What ctest takes for a skip.
_SKIPPED = 77


def skip(reason):
    print(f"SKIPPED: {reason}")
    sys.exit(_SKIPPED)


def require_wheels():
    """Makes the installed wheels importable."""
    if not FOLDER.is_dir():
        skip(f"{FOLDER} is missing: run deploy/install_dependencies.sh --checks")
    sys.path.insert(0, str(FOLDER))
    try:
        import grpc, kubernetes_validate, pydantic, yaml  # noqa: F401 (compiled for one Python)
    except ImportError as error:
        skip(f"{FOLDER} does not fit Python {sys.version.split()[0]}: {error}")


def require_programs():
    for name in ("windowkv-router", "windowkv-classifier", "windowkv-generation"):
        if not (BIN / name).is_file():
            skip(f"{BIN / name} is not built; WINDOWKV_BIN_DIR names another folder")
