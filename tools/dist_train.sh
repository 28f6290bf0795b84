#!/usr/bin/env bash
# Train with several processes, over NCCL on GPUs and over gloo on a machine without:
#   bash tools/dist_train.sh CONFIG GPUS [ARGUMENTS OF train.py]
# On several machines set NNODES, NODE_RANK, MASTER_ADDR and PORT. With MAX_RESTARTS=3 and --resume
# torchrun starts all processes up to three times again when one has died.
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
fi

CONFIG=$1
GPUS=$2
MASTER="${MASTER_ADDR:-127.0.0.1}"
MASTER_PORT="${PORT:-29500}"
MEETING=(--node_rank="${NODE_RANK:-0}" --master_addr="$MASTER" --master_port="$MASTER_PORT")
if [ "${MAX_RESTARTS:-0}" -gt 0 ]; then
    # Processes that are started again must meet at a new store: the old one names the dead.
    export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
    MEETING=(--rdzv_backend=c10d --rdzv_id="$MASTER_PORT" --rdzv_endpoint="$MASTER:$MASTER_PORT"
        --max_restarts="$MAX_RESTARTS")
fi
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}" \
"${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    "${MEETING[@]}" \
    --nproc_per_node="$GPUS" \
    "$TOOLS/train.py" "$CONFIG" --launcher pytorch "${@:3}" || {
    CODE=$?
    echo "Training ended with status $CODE. The same command with --resume goes on from the latest" \
        "checkpoint." >&2
    exit $CODE
}
