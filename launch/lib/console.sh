# Numbered steps with elapsed time, full logs, one-line errors. Sourced; expects NAME (of the script) and ROOT (of the checkout).

STEP=0
STEPS=0
LOG=
HEARTBEAT_S=15

# open_log: a log of this script's own under .logs/, the ten newest are kept.
open_log() {
  mkdir -p "$ROOT/.logs"
  LOG="$ROOT/.logs/$NAME-$(date +%Y%m%d-%H%M%S)-$$.log"
  : >"$LOG"
  find "$ROOT/.logs" -maxdepth 1 -name "$NAME-*.log" | sort -r | tail -n +11 | while IFS= read -r old; do rm -f "$old"; done
}

# elapsed SECONDS: "7 s", "2 min 05 s".
elapsed() {
  if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %02d s' "$(($1 / 60))" "$(($1 % 60))"; fi
}

# step TITLE: announces the next numbered step.
step() {
  STEP=$((STEP + 1))
  printf '[%d/%d] %s\n' "$STEP" "$STEPS" "$1"
  if [ -n "$LOG" ]; then printf '\n== [%d/%d] %s\n' "$STEP" "$STEPS" "$1" >>"$LOG"; fi
}

# note TEXT: one indented line.
note() { printf '      %s\n' "$1"; }

# fail WHAT FIX: one line on standard error, exit 1.
fail() {
  local log=
  if [ -n "$LOG" ] && [ -s "$LOG" ]; then log=" (log: ${LOG#"$ROOT"/})"; fi
  printf '%s: error: %s; %s%s\n' "$NAME" "$1" "$2" "$log" >&2
  exit 1
}

# quietly COMMAND...: output to the log, a sign of life every HEARTBEAT_S seconds, the time it took at the end. Keeps the exit code.
quietly() {
  local start=$SECONDS code=0 watcher
  (
    while sleep "$HEARTBEAT_S" >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
      note "... $(elapsed $((SECONDS - start))): $(tail -n 1 "$LOG" | cut -c 1-100)"
    done
  ) </dev/null 9>&- &
  watcher=$!
  "$@" >>"$LOG" 2>&1 </dev/null || code=$?
  kill "$watcher" 2>/dev/null || true
  wait "$watcher" 2>/dev/null || true
  if ((code == 0)); then note "done in $(elapsed $((SECONDS - start)))"; fi
  return "$code"
}
