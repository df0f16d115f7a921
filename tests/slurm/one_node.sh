#!/usr/bin/env bash
# A SLURM of one machine for tests: munge, a controller and node daemons on loopback, everything in one folder.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: tests/slurm/one_node.sh install | start FOLDER [NODES] | stop FOLDER

  install   Debian's slurm-wlm and munge, by apt-get, as root; their own services are not started
  start     makes FOLDER (short: it holds sockets) with configuration, state and logs, starts the daemons, waits
            until every node is idle; then `SLURM_CONF=FOLDER/slurm.conf sbatch ...` works
  stop      ends the daemons of FOLDER and the jobs that run under them

NODES (default 1) counts node daemons, n1, n2 ..., all on this machine, each with every core.
TEXT
}

fail() { printf 'one_node: error: %s\n' "$1" >&2 && exit 1; }

install() {
  [ "$(id -u)" = 0 ] || fail "installing needs root; install slurm-wlm and munge"
  apt-get update -qq
  # At this run level Debian's own services are not started.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge
}

# free_ports COUNT: ports of loopback that nothing listens on, one a line.
free_ports() {
  python3 - "$1" <<'PYTHON'
import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print("\n".join(str(server.getsockname()[1]) for server in held))
PYTHON
}

configure() {
  local cores memory ports nodes=() n
  mapfile -t ports < <(free_ports $((NODES + 1)))
  cores=$(nproc)
  memory=$(awk '/^MemTotal/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)
  for ((n = 1; n <= NODES; n++)); do
    nodes+=("NodeName=n$n NodeAddr=127.0.0.1 NodeHostname=localhost Port=${ports[n]} CPUs=$cores RealMemory=$memory Gres=gpu:1")
  done
  # A GPU that only SLURM believes in.
  printf 'Name=gpu File=/dev/null\n' >"$FOLDER/gres.conf"
  # cred_expire is how long a requeued job waits at least.
  cat >"$FOLDER/slurm.conf" <<CONF
ClusterName=loopback
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$FOLDER/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$FOLDER/state
SlurmdSpoolDir=$FOLDER/spool-%n
SlurmctldPidFile=$FOLDER/slurmctld.pid
SlurmdPidFile=$FOLDER/slurmd-%n.pid
SlurmctldLogFile=$FOLDER/slurmctld.log
SlurmdLogFile=$FOLDER/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=30
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
$(printf '%s\n' "${nodes[@]}")
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=9
CONF
}

# daemons: runs in a process-id namespace of its own where that is allowed, so that nothing outlives it.
daemons() {
  local n
  munged --foreground --force --socket="$FOLDER/munge.socket" --key-file="$FOLDER/munge.key" --pid-file="$FOLDER/munged.pid" \
    --log-file="$FOLDER/munged.log" --seed-file="$FOLDER/munge.seed" >>"$FOLDER/daemons.log" 2>&1 &
  until [ -S "$FOLDER/munge.socket" ]; do
    kill -0 $! 2>/dev/null || return 1
    sleep 0.1
  done
  slurmctld -D -f "$FOLDER/slurm.conf" >>"$FOLDER/daemons.log" 2>&1 &
  for ((n = 1; n <= NODES; n++)); do
    slurmd -D -N "n$n" -f "$FOLDER/slurm.conf" >>"$FOLDER/daemons.log" 2>&1 &
  done
  wait -n # whichever ends first, none can go on
}

last_words() { { grep -iE 'fatal|error' "$FOLDER/daemons.log" || cat "$FOLDER/daemons.log"; } | tail -n 1; }

start() {
  local deadline=$((SECONDS + 60)) namespace=()
  mkdir -p "$FOLDER/state"
  chmod 700 "$FOLDER"
  (umask 077 && head -c 1024 /dev/urandom >"$FOLDER/munge.key")
  configure
  if unshare --pid --fork --mount-proc true 2>/dev/null; then namespace=(unshare --pid --fork --mount-proc --kill-child); fi
  export -f daemons
  FOLDER=$FOLDER NODES=$NODES setsid "${namespace[@]}" bash -c daemons >>"$FOLDER/daemons.log" 2>&1 </dev/null &
  echo $! >"$FOLDER/pid"
  export SLURM_CONF=$FOLDER/slurm.conf
  until [ "$(sinfo --noheader --Node --partition main --format %T 2>/dev/null | grep -c '^idle$')" = "$NODES" ]; do
    kill -0 "$(cat "$FOLDER/pid")" 2>/dev/null || fail "a daemon ended: $(last_words)"
    ((SECONDS < deadline)) || fail "not every node is idle after 60 s: $(last_words)"
    sleep 0.2
  done
}

# With a namespace its first process is ours to kill and takes everything along; without one each daemon is ended by its pid.
stop() {
  local pid file
  pid=$(cat "$FOLDER/pid")
  SLURM_CONF=$FOLDER/slurm.conf timeout 10 scancel --full --signal=KILL --user="$(id -un)" >/dev/null 2>&1 || true
  for file in "$FOLDER"/*.pid; do
    if [ "$(readlink "/proc/$pid/ns/pid")" = "$(readlink "/proc/$(cat "$file")/ns/pid" 2>/dev/null)" ]; then kill "$(cat "$file")" 2>/dev/null || true; fi
  done
  kill -KILL -- "-$pid" 2>/dev/null || true
}

case "${1:-}" in
  install) install ;;
  start | stop)
    [ -n "${2:-}" ] || fail "which folder? see --help"
    FOLDER=$2 NODES=${3:-1}
    "$1"
    ;;
  *) usage ;;
esac
