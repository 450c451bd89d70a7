#!/usr/bin/env bash
# Builds what a release has into dist/ and publishes nothing: six binaries with archives and checksums, a wheel for each, and an
# image; then starts those for Linux. Needs git, python3 with venv, docker or buildah, and qemu-aarch64-static for arm64.
# usage: scripts/release/release.sh            a snapshot of this commit; of its tag where it has one
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/require.sh git venv image qemu-aarch64-static

goreleaser=github.com/goreleaser/goreleaser/v2@v2.15.1
snapshot=(--snapshot)
git describe --exact-match --tags HEAD >/dev/null 2>&1 && snapshot=()
go run "$goreleaser" check
go run "$goreleaser" release --clean "${snapshot[@]}"
go run ./scripts/release/wheel dist

started() { # NAME COMMAND…: says what it is, or ends here
  local version
  version=$("${@:2}" version)
  echo "started $1: $version"
}
amd64=$(echo dist/gotrain_linux_amd64_*/gotrain) arm64=$(echo dist/gotrain_linux_arm64_*/gotrain)
chmod +x "$amd64" "$arm64"
if [ "$(uname -m)" = aarch64 ]; then native=$arm64; else native=$amd64; fi
started "the binary" "$native"
[ "$native" = "$arm64" ] || started "the binary for arm64" qemu-aarch64-static "$arm64"

venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --no-index --find-links dist/wheels gotrain
started "the wheel" "$venv/bin/gotrain"

if docker info >/dev/null 2>&1; then
  docker build --quiet --build-arg "BINARY=$native" --tag gotrain .
  docker save --output dist/gotrain-image.tar gotrain
  started "the image" docker run --rm gotrain
else
  export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
  buildah build --quiet --build-arg "BINARY=$native" --tag gotrain .
  rm -f dist/gotrain-image.tar
  buildah push --quiet gotrain "docker-archive:$PWD/dist/gotrain-image.tar:gotrain:latest"
  container=$(buildah from gotrain)
  started "the image" buildah run "$container" /gotrain
  buildah rm "$container" >/dev/null
fi
ls -1 dist/*.tar.gz dist/*.zip dist/wheels dist/checksums.txt dist/gotrain-image.tar
