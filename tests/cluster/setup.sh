#!/usr/bin/env bash
# A real Slurm of one node on this machine, for the tests. Root, Debian or Ubuntu.
#
#   tests/cluster/setup.sh up FOLDER     install what is missing, start munged, slurmctld and slurmd; prints SLURM_CONF
#   tests/cluster/setup.sh down FOLDER   stop them; FOLDER may then be removed
#
# Everything lies in FOLDER: the configuration, munge's key and socket, state and logs. Only a link to the configuration
# stands outside, at /etc/slurm/slurm.conf: Snakemake's job steps are started without SLURM_CONF. A machine that has a
# Slurm of its own is refused (exit code 4).
set -euo pipefail
action=${1:?up or down} folder=${2:?a folder}
link=/etc/slurm/slurm.conf

stop() {
  for name in slurmd slurmctld munged; do
    if [[ -s $folder/$name.pid ]]; then
      pid=$(cat "$folder/$name.pid")
      # The pid file may be older than this boot: only the daemon of that name is ended.
      if [[ -r /proc/$pid/comm && $(cat "/proc/$pid/comm") == "$name" ]]; then
        kill "$pid"
        for _ in $(seq 50); do [[ -d /proc/$pid ]] && sleep 0.1; done
      fi
      rm -f "$folder/$name.pid"
    fi
  done
}

if [[ $action == down ]]; then
  if [[ -s $folder/slurm.conf ]] && SLURM_CONF=$folder/slurm.conf timeout 10 scancel --state=RUNNING --quiet; then
    sleep 1
  fi
  stop
  [[ ! -L $link || $(readlink "$link") != "$folder/slurm.conf" ]] || rm "$link"
  exit 0
fi
[[ $action == up ]] || { echo "setup.sh: up or down, not $action" >&2; exit 2; }
[[ $(id -u) == 0 ]] || { echo "setup.sh: slurmd needs root" >&2; exit 3; }
if ! command -v slurmctld slurmd munged sbatch >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # The packages' own services stay off: ours are started by hand below.
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d.snakemrs
  chmod 755 /usr/sbin/policy-rc.d.snakemrs
  [[ -e /usr/sbin/policy-rc.d ]] || { cp /usr/sbin/policy-rc.d.snakemrs /usr/sbin/policy-rc.d; ours=1; }
  apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
  [[ -z ${ours:-} ]] || rm -f /usr/sbin/policy-rc.d
  rm -f /usr/sbin/policy-rc.d.snakemrs
fi

if [[ -e $link && $(readlink "$link") != "$folder/slurm.conf" ]]; then
  echo "setup.sh: $link is there already: this machine has a Slurm of its own" >&2
  exit 4
fi
mkdir -p "$folder"/{state,spool,munge}
chmod 755 "$folder"
chmod 711 "$folder/munge"
stop
[[ -s $folder/munge/key ]] || (umask 077 && dd if=/dev/urandom of="$folder/munge/key" bs=1024 count=1 status=none)
munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munged.log" --seed-file="$folder/munge/seed" >/dev/null 2>"$folder/munged.err"

host=$(hostname -s)
# More processors than the machine has, so that jobs run side by side: this is a test of the order, not of speed.
cat >"$folder/slurm.conf" <<CONF
ClusterName=snakemrs-test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=${SNAKEMRS_SLURM_PORT:-16817}
SlurmdPort=$((${SNAKEMRS_SLURM_PORT:-16817} + 1))
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CryptoType=crypto/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
MinJobAge=600
SchedulerParameters=sched_interval=2,bf_interval=2
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=24000 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
mkdir -p /etc/slurm
ln -sfn "$folder/slurm.conf" "$link"
export SLURM_CONF=$folder/slurm.conf
slurmctld -f "$SLURM_CONF" >"$folder/slurmctld.out" 2>&1
slurmd -f "$SLURM_CONF" >"$folder/slurmd.out" 2>&1
for _ in $(seq 100); do
  state=$(timeout 5 sinfo --noheader --format=%T 2>/dev/null || true)
  [[ $state == idle ]] && { echo "SLURM_CONF=$SLURM_CONF"; exit 0; }
  sleep 0.3
done
echo "setup.sh: the node did not become idle (${state:-no answer}); logs in $folder" >&2
tail -n 5 "$folder"/slurmctld.log "$folder"/slurmd.log >&2 || true
exit 1
