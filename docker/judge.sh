#!/bin/sh
# Judge one model in the container: docker/judge.sh MODEL DATA_FOLDER OUT_FOLDER --track B [more of validate-pb]
# The model and the data are mounted read-only, there is no network, and OUT_FOLDER alone can be written to.
set -eu
if [ "$#" -lt 3 ]; then
    echo "usage: docker/judge.sh MODEL DATA_FOLDER OUT_FOLDER --track NAME [more of validate-pb]" >&2
    exit 2
fi
model=$(realpath "$1")
data=$(realpath "$2")
out=$(realpath "$3")
shift 3
exec docker run --rm \
    --network none \
    --read-only \
    --tmpfs /tmp:rw,nosuid,nodev,size=4g \
    --tmpfs /work:rw,nosuid,nodev,uid=10001,size=64m \
    --cap-drop ALL \
    --security-opt no-new-privileges \
    --pids-limit 512 \
    --memory 8g --memory-swap 8g \
    --user "$(id -u):$(id -g)" \
    --env HOME=/tmp \
    --volume "$model:/model/$(basename "$model"):ro" \
    --volume "$data:/data:ro" \
    --volume "$out:/out" \
    pixelproof validate-pb "/model/$(basename "$model")" --data /data --require-sandbox --json /out/report.json "$@"
