# Makes .venv-gpu on top of an interpreter that may have torch and more already. Sourced after console.sh and environment.sh; expects ROOT.

GPU_VENV="$ROOT/.venv-gpu"
GPU_PY="$GPU_VENV/bin/python"
GPU_NEEDED_GB=12

# refuse WHAT FIX: one line on standard error, exit 2: not this script's fault.
refuse() {
  printf '%s: error: %s; %s\n' "$NAME" "$1" "$2" >&2
  exit 2
}

# has_gpu: whether nvidia-smi lists one.
has_gpu() { command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q '^GPU '; }

# base_python: the interpreter to build on: $PYTHON, or the first of python3.11, python3, python that has torch, or the first that runs.
base_python() {
  local candidate version first=
  for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3 python; do
    version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case $version in 3.10 | 3.11 | 3.12) ;; *) continue ;; esac
    first=${first:-$candidate}
    if [ -n "${PYTHON:-}" ] || "$candidate" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  if [ -z "$first" ]; then refuse "no Python 3.10 to 3.12 was found" "install one, or name one with PYTHON=/path/to/python"; fi
  command -v "$first"
}

# make_gpu_venv INTERPRETER: an environment that sees what the interpreter sees, and this checkout.
make_gpu_venv() {
  if [ -x "$GPU_PY" ] && [ "$(cat "$GPU_VENV/.made-from" 2>/dev/null)" = "$ROOT $1" ]; then return; fi
  rm -rf "$GPU_VENV"
  "$1" -m venv --without-pip "$GPU_VENV" || return
  # Not --system-site-packages: the interpreter may be that of an environment itself, whose packages that would leave out.
  "$1" - "$ROOT" >"$GPU_VENV/below.pth" <<'PYTHON' || return
import sys
print(sys.argv[1])
for path in dict.fromkeys(p for p in sys.path if p.endswith("-packages")):
    print(f"import site; site.addsitedir({path!r})")
PYTHON
  mv "$GPU_VENV/below.pth" "$("$GPU_PY" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/" || return
  printf %s "$ROOT $1" >"$GPU_VENV/.made-from"
}

# install_wheels FOLDER: what is missing or does not fit, from the folder alone.
install_wheels() {
  local files
  files=$("$GPU_PY" "$ROOT/launch/lib/gpu_packages.py" files ${1:+"$1"}) || return
  if [ -z "$files" ]; then
    echo "everything is installed"
    return
  fi
  printf '%s\n' "$files" >"$CACHE/gpu-wheels.txt"
  "$GPU_PY" -m pip install --no-index --no-deps --ignore-installed --no-warn-script-location -r "$CACHE/gpu-wheels.txt"
}

# set_up_gpu INTERPRETER FOLDER
set_up_gpu() {
  local free_gb missing
  # Triton compiles its launchers with it.
  command -v "${CC:-cc}" >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 ||
    fail "no C compiler was found" "install gcc or clang (on Debian: apt-get install gcc), or name one with CC=..."
  free_gb=$(($(df -Pk "$ROOT" | awk 'NR == 2 { print $4 }') / 1048576))
  if ((free_gb < GPU_NEEDED_GB)); then
    fail "only $free_gb GB are free in $ROOT" "free at least $GPU_NEEDED_GB GB, or move the checkout to a larger disk"
  fi
  step "Making .venv-gpu on top of $1"
  quietly make_gpu_venv "$1" || fail "making .venv-gpu failed" "read the end of the log"
  "$GPU_PY" -m pip --version >/dev/null 2>&1 || fail "$1 has no pip" "install it (on Debian: apt-get install python3-pip)"
  step "Installing what is missing${2:+ from $2}"
  if ! quietly install_wheels "$2"; then
    missing=$(grep -E 'packages are neither installed nor in the folder| is no wheel ' "$LOG" | tail -n 1 || true)
    if [ -n "$missing" ]; then fail "$missing" "WHEELS=... names the folder; launch/requirements/wheels-gpu.md lists what belongs into it"; fi
    fail "installing failed" "read the end of the log"
  fi
}
