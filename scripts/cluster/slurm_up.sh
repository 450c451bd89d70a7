#!/usr/bin/env bash
# Starts a Slurm cluster on this machine, without systemd: munged, slurmctld and one slurmd per node, each node in its
# own network, host name and mount namespace on a private bridge. Made for Debian 12 (Slurm 22.05); needs root and the
# packages slurmctld slurmd slurm-client munge iproute2.
# usage: slurm_up.sh DIR [NODES, default 4] [CPUs of a node, default 2]
# Everything lies in DIR, which must be empty or missing and whose last part names the namespaces; the folders above it
# must be open to all for munge (mode 711). Afterwards
#   DIR/in ctl COMMAND...    runs a command where sbatch, squeue and scontrol work
#   DIR/in n1 COMMAND...     runs it on a node
#   slurm_down.sh DIR        ends it all
set -euo pipefail
dir=$(mkdir -p "$1" && cd "$1" && pwd -P)
nodes=${2:-4}
cpus=${3:-2}
name=$(basename "$dir")
net=10.199.0

die() {
  echo "slurm_up.sh: $*" >&2
  exit 1
}
[ -z "$(ls -A "$dir")" ] || die "$dir is not empty"
"$(dirname "$0")/../require.sh" root slurm
ip netns add "$name-ctl" || die "this machine does not permit network namespaces (a container needs CAP_SYS_ADMIN and CAP_NET_ADMIN)"

# A daemon of munge with a key and socket of its own. It wants all folders above them open to all (mode 711).
mkdir -p "$dir"/{state,spool,tmp,log,munge}
chmod 755 "$dir" "$dir/munge"
head -c 128 /dev/urandom >"$dir/munge/key"
chown -R munge:munge "$dir/munge"
chmod 400 "$dir/munge/key"
runuser -u munge -- munged --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
  --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"

# One bridge in the controller's namespace, one cable to each node.
ip -n "$name-ctl" link set lo up
ip -n "$name-ctl" link add bridge0 type bridge
ip -n "$name-ctl" addr add $net.254/24 dev bridge0
ip -n "$name-ctl" link set bridge0 up
printf '127.0.0.1 localhost\n%s ctl\n' $net.254 >"$dir/hosts"
declarations=
for ((i = 1; i <= nodes; i++)); do
  echo "$net.$i n$i" >>"$dir/hosts"
  declarations+="NodeName=n$i NodeAddr=$net.$i CPUs=$cpus RealMemory=2000"$'\n'
  ip netns add "$name-n$i"
  ip -n "$name-n$i" link set lo up
  ip -n "$name-ctl" link add cable$i type veth peer name eth0 netns "$name-n$i"
  ip -n "$name-ctl" link set cable$i master bridge0 up
  ip -n "$name-n$i" addr add $net.$i/24 dev eth0
  ip -n "$name-n$i" link set eth0 up
done

# cred_expire: a requeued job waits until its old credential has expired, two minutes by default. FirstJobId: large and
# by chance, so that nothing mistakes a job for one of an earlier cluster.
cat >"$dir/slurm.conf" <<CONF
ClusterName=gotrain
SlurmctldHost=ctl($net.254)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=5
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
TmpFS=$dir/tmp
FirstJobId=$((RANDOM + 1000))
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SlurmdTimeout=10
KillWait=5
JobRequeue=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
${declarations}PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF

cat >"$dir/in" <<IN
#!/usr/bin/env bash
# in HOST COMMAND...: runs a command on a host of this cluster.
host=\$1
shift
export SLURM_CONF=$dir/slurm.conf PATH=\$PATH:/usr/sbin
exec nsenter --net=/run/netns/$name-\$host unshare --uts --mount --propagation private bash -c '
  hostname "\$0"
  mount --bind $dir/hosts /etc/hosts
  [ "\$1" != slurmd ] || { mount -t tmpfs none $dir/spool; mount -t tmpfs none $dir/tmp; }
  exec "\$@"' "\$host" "\$@"
IN
chmod +x "$dir/in"
"$dir/in" ctl slurmctld
for ((i = 1; i <= nodes; i++)); do "$dir/in" n$i slurmd -N n$i; done
for ((try = 0; try < 150; try++)); do
  if [ "$("$dir/in" ctl sinfo -h -o '%T %D' 2>/dev/null)" = "idle $nodes" ]; then exit 0; fi
  sleep 0.1
done
"$dir/in" ctl sinfo -N -l >&2 || true
tail -n 20 "$dir"/log/* >&2
die "the $nodes nodes did not become idle"
