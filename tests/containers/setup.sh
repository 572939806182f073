#!/usr/bin/env bash
# Apptainer and debootstrap for the tests of the images. Root, Debian.
# INSTALL_APPTAINER names a script that installs Apptainer where apt has none; a checkout beside shared/ finds its own.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
if ! command -v apptainer >/dev/null; then
  [[ $(id -u) == 0 ]] || { echo "setup.sh: installing Apptainer needs root" >&2; exit 3; }
  script=${INSTALL_APPTAINER:-$(cd "$(dirname "$0")/../../.." && pwd)/shared/tools/install-apptainer.sh}
  if [[ -f $script ]]; then
    bash "$script"
  else
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends apptainer
  fi
fi
if ! command -v debootstrap >/dev/null && [[ $(id -u) == 0 ]]; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends debootstrap
fi
apptainer --version
