# Keeps every cache and temporary file inside the checkout. Sourced; expects ROOT. A variable that the caller set is left alone.

CACHE="$ROOT/.cache"
mkdir -p "$CACHE/tmp"

export XDG_CACHE_HOME="$CACHE" XDG_DATA_HOME="$CACHE/data" XDG_STATE_HOME="$CACHE/state"
export PIP_CACHE_DIR="${PIP_CACHE_DIR:-$CACHE/pip}" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_USER=0
export UV_CACHE_DIR="${UV_CACHE_DIR:-$CACHE/uv}" UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
export HF_HOME="${HF_HOME:-$CACHE/huggingface}" TORCH_HOME="${TORCH_HOME:-$CACHE/torch}"
export TORCHINDUCTOR_CACHE_DIR="${TORCHINDUCTOR_CACHE_DIR:-$CACHE/torchinductor}" TRITON_CACHE_DIR="${TRITON_CACHE_DIR:-$CACHE/triton}"
export VLLM_CACHE_ROOT="${VLLM_CACHE_ROOT:-$CACHE/vllm}" VLLM_CONFIG_ROOT="${VLLM_CONFIG_ROOT:-$CACHE/vllm-config}"
export MPLCONFIGDIR="${MPLCONFIGDIR:-$CACHE/matplotlib}" HYPOTHESIS_STORAGE_DIRECTORY="$CACHE/hypothesis"
export HF_HUB_DISABLE_TELEMETRY=1 VLLM_NO_USAGE_STATS=1 RAY_USAGE_STATS_ENABLED=0 DO_NOT_TRACK=1

# Unix sockets take paths of at most 107 bytes; Ray adds up to 68 to its folder, vLLM and multiprocessing up to 40 to TMPDIR.
# A checkout too deep for that leaves both where the system puts temporary files; DEEP_CHECKOUT lets the scripts say so.
DEEP_CHECKOUT=
socket_room() { (($(printf %s "$1" | wc -c) + $2 <= 107)); }
if ! socket_room "$CACHE" 68; then
  DEEP_CHECKOUT=yes
  export RAY_TMPDIR="${RAY_TMPDIR:-${TMPDIR:-/tmp}}"
fi
export RAY_TMPDIR="${RAY_TMPDIR:-$CACHE}"
if socket_room "$CACHE/tmp" 40; then export TMPDIR="$CACHE/tmp"; fi
# Ray guards its cluster with a token, which it would keep in the home folder.
if [ -z "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ]; then
  if [ ! -s "$CACHE/ray-token" ]; then (umask 077 && od -An -N 32 -tx1 /dev/urandom | tr -d ' \n' >"$CACHE/ray-token"); fi
  export RAY_AUTH_TOKEN_PATH="$CACHE/ray-token" RAY_AUTH_MODE="${RAY_AUTH_MODE:-token}"
fi
find "$CACHE/tmp" "$CACHE/ray" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} + 2>/dev/null || true

# Some machines export this; without compiled bytecode each of the engine's processes compiles gigabytes of packages again.
unset PYTHONDONTWRITEBYTECODE
# The environment holds everything; a module path of the caller's own would shadow it.
unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1
