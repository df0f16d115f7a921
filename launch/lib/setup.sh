# Makes .venv with pinned packages, once. Sourced after console.sh and environment.sh; expects ROOT. `set_up PROFILE OWN_STEPS` does it all.

VENV="$ROOT/.venv"
PY="$VENV/bin/python"
REQUIREMENTS="$ROOT/launch/requirements"
WANTED_PYTHON=3.11
NEEDED_GB=6
SETUP_STEPS=5
# Extras of each profile; "test" holds all of "run".
declare -A EXTRAS=([run]="cpu,eval,guard" [test]="cpu,eval,guard,dev")

# fingerprint PROFILE: what the environment was made from; the path counts, because scripts in .venv name it.
fingerprint() {
  local version
  version=$(sed -n 's/^version *= *//p' "$VENV/pyvenv.cfg" 2>/dev/null || true)
  {
    cat "$ROOT/setup.py" "$REQUIREMENTS/constraints-cpu.txt" "$REQUIREMENTS/overrides-cpu.txt" "$ROOT/launch/lib/setup.sh"
    printf '%s\n' "${EXTRAS[$1]}" "$ROOT" "$version"
  } | sha256sum | cut -d ' ' -f 1
}

# is_set_up PROFILE: whether .venv already is what these requirements ask for.
is_set_up() {
  [ -x "$PY" ] && [ -f "$VENV/.set-up-$1" ] && [ "$(cat "$VENV/.set-up-$1")" = "$(fingerprint "$1")" ]
}

# python_version COMMAND: "3.11", or nothing when it does not run.
python_version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true; }

# find_python: prints the interpreter to make .venv with: $PYTHON, python3.11, or python3 / python where that is 3.11.
find_python() {
  local candidate version found=
  for candidate in ${PYTHON:+"$PYTHON"} "python$WANTED_PYTHON" python3 python; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    version=$(python_version "$candidate")
    if [ "$version" = "$WANTED_PYTHON" ]; then
      command -v "$candidate"
      return
    fi
    found="$found${found:+, }$candidate is ${version:-broken}"
  done
  fail "Python $WANTED_PYTHON was not found (${found:-no python on PATH})" \
    "install Python $WANTED_PYTHON, or name one with PYTHON=/path/to/python$WANTED_PYTHON"
}

# check_machine: what no package can bring along.
check_machine() {
  local free_kb free_gb
  [ "$(uname -s)" = Linux ] || fail "this system is $(uname -s)" "the engine runs on Linux only"
  command -v "${CC:-cc}" >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 ||
    fail "no C compiler was found" "install gcc or clang (on Debian: apt-get install gcc), or name one with CC=..."
  free_kb=$(df -Pk "$ROOT" | awk 'NR == 2 { print $4 }')
  free_gb=$((free_kb / 1048576))
  if ((free_gb < NEEDED_GB)); then
    fail "only $free_gb GB are free in $ROOT" "free at least $NEEDED_GB GB, or move the checkout to a larger disk"
  fi
}

# venv_works: whether .venv is of the right version, at the path it was made for, and has pip.
venv_works() {
  [ "$(python_version "$PY")" = "$WANTED_PYTHON" ] && [ "$(cat "$VENV/.made-at" 2>/dev/null || printf %s "$ROOT")" = "$ROOT" ] &&
    "$PY" -m pip --version >/dev/null 2>&1
}

# check_venv: refuses to replace an environment of another Python that these scripts did not make.
check_venv() {
  local version
  version=$(python_version "$PY")
  if [ -n "$version" ] && [ "$version" != "$WANTED_PYTHON" ] && [ ! -f "$VENV/.made-at" ]; then
    fail ".venv holds Python $version" "remove it (rm -rf $VENV) and run this again"
  fi
}

# make_venv INTERPRETER: .venv for this path; one that these scripts made for another path or version is made anew.
make_venv() {
  if venv_works; then return; fi
  if [ -f "$VENV/.made-at" ]; then rm -rf "$VENV"; fi
  "$1" -m venv "$VENV" || return
  printf %s "$ROOT" >"$VENV/.made-at"
}

# pip_setting NAME: a setting of pip's (environment first, then its files), on one line; nothing when unset.
pip_setting() {
  "$PY" -m pip config list | sed -n "s/^\(:env:\|global\|install\)\.$1='\(.*\)'\$/\2/p" | head -n 1 | sed 's/\\n/ /g; s/^ *//; s/ *$//'
}

# use_pip_sources: uv does not read pip's configuration. Sources set for uv itself are left alone.
use_pip_sources() {
  local links index extra
  links=$(pip_setting find-links)
  if [ -z "${UV_FIND_LINKS:-}" ] && [ -n "$links" ]; then export UV_FIND_LINKS="${links// /,}"; fi
  if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX:-}${UV_INDEX_URL:-}${UV_EXTRA_INDEX_URL:-}" ]; then
    index=$(pip_setting index-url)
    extra=$(pip_setting extra-index-url)
    if [ -n "$index" ]; then export UV_INDEX_URL="$index"; fi
    # pip takes the best version of all its indexes; so must uv where they are pip's.
    if [ -n "$extra" ]; then export UV_EXTRA_INDEX_URL="$extra" UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"; fi
  fi
  if [ -z "${SSL_CERT_FILE:-}" ] && [ -n "${PIP_CERT:-}" ]; then export SSL_CERT_FILE="$PIP_CERT"; fi
  export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-${PIP_DEFAULT_TIMEOUT:-60}}"
}

# use_cpu_torch: PyTorch's own CPU wheels where they can be reached, else what the other sources hold.
use_cpu_torch() {
  local pin
  if [ -n "${UV_TORCH_BACKEND:-}" ]; then return; fi
  pin=$(grep '^torchvision==' "$REQUIREMENTS/constraints-cpu.txt")
  if UV_HTTP_TIMEOUT=10 UV_HTTP_RETRIES=1 "$VENV/bin/uv" pip install --python "$PY" --dry-run --no-deps --reinstall \
    --torch-backend cpu "$pin"; then
    export UV_TORCH_BACKEND=cpu
  else
    printf "PyTorch's CPU wheels cannot be reached: taking torch from the other sources\n"
  fi
}

install_uv() { "$PY" -m pip install --quiet --constraint "$REQUIREMENTS/constraints-cpu.txt" uv; }

# install_packages PROFILE
install_packages() {
  use_pip_sources && use_cpu_torch || return
  cd "$ROOT" && "$VENV/bin/uv" pip install --python "$PY" --constraints "$REQUIREMENTS/constraints-cpu.txt" \
    --build-constraints "$REQUIREMENTS/constraints-cpu.txt" --overrides "$REQUIREMENTS/overrides-cpu.txt" --editable ".[${EXTRAS[$1]}]" || return
  # What the build leaves here hides, from Python started in this folder, that the package is installed.
  rm -rf "$ROOT/rl_align.egg-info"
}

compile_bytecode() {
  "$PY" "$ROOT/launch/lib/compile_bytecode.py" "$VENV/lib/python$WANTED_PYTHON/site-packages" "$ROOT/rl_align" "$ROOT/reward"
}

install_torchvision_ops() { cd "$ROOT" && "$PY" -m rl_align.engine.cpu.torchvision_ops install; }

# explain_failure WHAT: the one-line error for a failed step, from what its log says.
explain_failure() {
  local missing
  if tail -n 60 "$LOG" | grep -qiE 'no space left on device|disk quota exceeded'; then
    fail "$1 failed: the disk is full" "free at least $NEEDED_GB GB and run this again"
  fi
  missing=$(tail -n 60 "$LOG" | sed -nE \
    -e 's/.*[Bb]ecause there (is|are) no versions? of ([A-Za-z0-9._+=<>!,-]+).*/\2/p' \
    -e 's/.*[Bb]ecause ([A-Za-z0-9._-]+) was not found in .*/\1/p' \
    -e 's/.*No matching distribution found for ([A-Za-z0-9._+=<>!,-]+).*/\1/p' | head -n 1)
  if [ -n "$missing" ]; then
    fail "$1 failed: package $missing was not found" \
      "check the package index (pip's or uv's configuration), or point PIP_FIND_LINKS at a folder or page that holds the wheel"
  fi
  if tail -n 60 "$LOG" | grep -qiE 'error sending request|failed to (fetch|download)|dns error|connection (refused|reset)|timed? ?out|NewConnectionError'; then
    fail "$1 failed: the package index cannot be reached" "check the network and the proxy settings, then run this again; it goes on where it stopped"
  fi
  if tail -n 60 "$LOG" | grep -q ensurepip; then
    fail "$1 failed: it comes without venv" "install that module (on Debian: apt-get install python$WANTED_PYTHON-venv)"
  fi
  fail "$1 failed" "read the end of the log, then run this again; it goes on where it stopped"
}

# one_at_a_time: waits for another set-up of this checkout; the lock goes with the process.
one_at_a_time() {
  command -v flock >/dev/null 2>&1 || return 0
  exec 9>"$CACHE/set-up.lock"
  if ! flock -n 9; then
    note "waiting for another set-up of this checkout"
    flock 9
  fi
}

# set_up PROFILE OWN_STEPS: numbered steps, only one when there is nothing to do; OWN_STEPS more will follow.
set_up() {
  local interpreter
  if is_set_up "$1"; then
    STEPS=$((1 + $2))
    step "Set-up: .venv is up to date"
    return
  fi
  STEPS=$((SETUP_STEPS + $2))
  step "Checking the machine"
  one_at_a_time
  check_machine
  interpreter=$(find_python) || exit 1
  check_venv
  note "Python $WANTED_PYTHON at $interpreter; everything goes into $ROOT"
  if [ -n "$DEEP_CHECKOUT" ]; then note "this path is too long for Ray's sockets: they go to $RAY_TMPDIR/ray"; fi
  step "Making .venv"
  quietly make_venv "$interpreter" || explain_failure "making .venv with $interpreter"
  quietly install_uv || explain_failure "installing uv"
  step "Installing pinned packages (about 250, 3 GB)"
  quietly install_packages "$1" || explain_failure "installing packages"
  step "Compiling bytecode, once"
  quietly compile_bytecode || explain_failure "compiling bytecode"
  step "Fitting torchvision to the CPU build of torch"
  quietly install_torchvision_ops || explain_failure "fitting torchvision"
  fingerprint "$1" >"$VENV/.set-up-$1"
  if [ "$1" = test ]; then fingerprint run >"$VENV/.set-up-run"; fi
  if command -v flock >/dev/null 2>&1; then exec 9>&-; fi
}
