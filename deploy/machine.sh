#!/bin/sh
# What this machine must have before anything is built: Python 3.11 or later with venv and headers,
# a C and a C++ compiler, and whatever the caller names besides. Prints the Python to use, or says
# on stderr what is missing and the one command that installs it.
#
#   sh deploy/machine.sh [valgrind ...]      PYTHON=/path/to/python3 to choose the interpreter
set -u

recent='import sys; sys.exit(sys.version_info < (3, 11))'
python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$recent" 2>/dev/null; then
        python=$(command -v "$candidate")
        break
    fi
done

# Debian's and Ubuntu's packages for the interpreter found; python3's own when it is that one.
suffix=3
if [ -n "$python" ]; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    [ "$python" = "$(command -v python3)" ] || suffix=$version
fi

missing=
need() { missing="$missing $1"; }
if [ -z "$python" ]; then
    echo "touchline needs Python 3.11 or later; found: $(python3 --version 2>&1)" >&2
    need python3 && need python3-venv && need python3-dev
else
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need "python$suffix-venv"
    "$python" -c 'import pathlib, sys, sysconfig
sys.exit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists())' ||
        need "python$suffix-dev"
fi
command -v "${CC:-gcc}" >/dev/null 2>&1 || need gcc
command -v "${CXX:-g++}" >/dev/null 2>&1 || need g++
[ -e /usr/include/stdio.h ] || [ -e /usr/include/"$(uname -m)"-linux-gnu/stdio.h ] || need libc6-dev
for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 || need "$tool"
done

if [ -n "$missing" ]; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo='sudo '
    echo "This machine lacks:$missing. Install with" >&2
    echo "    ${sudo}apt-get update && ${sudo}apt-get install -y$missing" >&2
    echo "and run make again." >&2
    exit 1
fi
echo "$python"
