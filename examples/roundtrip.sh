#!/usr/bin/env bash
# Pipe a directory tree through s3duct, encrypted, and back; then compare the two trees.
#
#   examples/roundtrip.sh [DIRECTORY]     (default: the standard library of the python3 on PATH)
#
# The store is a temporary directory; with s3://BUCKET in place of file://... the commands stay the same.
set -euo pipefail
umask 077

tree=${1:-$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')}
tree=$(cd "$tree" && pwd -P)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/store" "$work/back"
head -c 32 /dev/urandom >"$work/key"
export S3DUCT_STATE_DIR=$work/state

say() { printf '\n== %s\n' "$*"; }
run_s3duct() {
    printf '$ s3duct %s\n' "$*" >&2
    s3duct "$@"
}

# Installed packages and byte code are no part of the standard library, and may change while this runs.
skip=(--exclude=site-packages --exclude=__pycache__)
same=(-r "${skip[@]}")
# A link that points out of the tree is compared as a link, where this diff can do that.
if diff --help 2>&1 | grep -q -e --no-dereference; then same+=(--no-dereference); fi

say "put: a tar of $tree, sealed with AES-256-GCM under a fresh key"
tar -C "$tree" "${skip[@]}" -cf - . |
    run_s3duct put --bucket "file://$work/store" --name demo --key "file:$work/key"

say "the store now holds"
(cd "$work/store" && find . -type f -exec du -k {} + | sort -k 2 | awk '{ printf "%8d KiB  %s\n", $1, $2 }')

say "get: a chunk reaches tar only after it was verified"
run_s3duct get --bucket "file://$work/store" --name demo --key "file:$work/key" |
    tar -C "$work/back" -xf -

say "diff -r"
diff "${same[@]}" "$tree" "$work/back"
files=$(find "$work/back" -type f | wc -l)
kib=$(du -sk "$work/back" | cut -f 1)
printf 'identical: %d files, %d MiB\n' "$files" $((kib / 1024))
