#!/usr/bin/env bash
# Looks for what a script or make target needs besides Go, and says what is missing and which packages of Debian and Ubuntu
# have it. Exits 1 if anything is.
# usage: scripts/require.sh NEED...    a command, or gloo, mpi, mpirun, slurm, root, pip, venv, image
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
missing=() packages=()
lack() { # NAME PACKAGE...
  missing+=("$1")
  packages+=("${@:2}")
}
command_of() { # COMMAND PACKAGE...
  command -v "$1" >/dev/null || lack "$@"
}
for need in "$@"; do
  case $need in
    gloo)
      command_of g++ g++
      echo '#include <gloo/context.h>' | g++ -std=c++17 -E -x c++ - >/dev/null 2>&1 || lack "Gloo's headers" libgloo-dev
      ;;
    mpi)
      command_of gcc gcc
      pkg-config --exists mpi-c 2>/dev/null || lack "Open MPI's headers" pkg-config libopenmpi-dev
      ;;
    slurm)
      for tool in slurmctld:slurmctld slurmd:slurmd sbatch:slurm-client munged:munge ip:iproute2; do command_of "${tool%:*}" "${tool#*:}"; done
      ;;
    root) [ "$(id -u)" = 0 ] || lack "the rights of root" ;;
    pip) "${PYTHON:-python3}" -m pip --version >/dev/null 2>&1 || lack "Python's pip" python3-pip ;;
    venv) "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || lack "Python's venv" python3-venv ;;
    mpirun) command -v "${MPIRUN:-mpirun}" >/dev/null || lack "${MPIRUN:-mpirun}" openmpi-bin ;;
    image) command -v buildah >/dev/null || docker info >/dev/null 2>&1 || lack "buildah, or docker with its daemon" buildah ;;
    qemu-aarch64-static) command_of qemu-aarch64-static qemu-user-static ;;
    pgrep) command_of pgrep procps ;;
    prlimit) command_of prlimit util-linux ;;
    *) command_of "$need" "$need" ;;
  esac
done
[ ${#missing[@]} -gt 0 ] || exit 0
printf -v list '%s, ' "${missing[@]}"
echo "missing: ${list%, }" >&2
if [ ${#packages[@]} -gt 0 ]; then
  echo "as root: apt-get install --no-install-recommends $(printf '%s\n' "${packages[@]}" | sort -u | paste -sd ' ')" >&2
fi
exit 1
