# Sourced by the tests of this folder, in the repository's root: gotrain in $tmp, a run that takes seconds as $flags, and
# ranks of it as processes of this machine.
tmp=$(mktemp -d)
pids=()
leave() { # at the end, also after a failure: no rank stays
  if [ ${#pids[@]} -gt 0 ]; then { kill -KILL "${pids[@]}" && wait "${pids[@]}" || true; } 2>/dev/null; fi
  rm -rf "$tmp"
}
trap leave EXIT
steps=60
flags=(pretrain --config configs/opticks.yaml --set train.steps=$steps --set train.save_every=2 --set train.eval_every=20
  --set train.eval_batches=2 --set train.batch=4 --set train.context=64 --set train.sample_tokens=0
  --set model.family=gpt2 --set model.width=64 --set model.layers=2 --set model.dropout=0 --set tokenizer.vocab=512
  --set optimizer.kind=adamw --set optimizer.lr=1e-3)
port=$((20000 + RANDOM % 10000))

# build [TAGS] makes gotrain with engines for several ranks, $TAGS or Gloo by default.
build() {
  local tags=${1:-${TAGS:-gloo}} needs=()
  case $tags in *gloo*) needs+=(gloo) ;; esac
  case $tags in *mpi*) needs+=(mpi mpirun) ;; esac
  scripts/require.sh "${needs[@]}"
  CGO_ENABLED=1 go build -tags "$tags" -o "$tmp/gotrain" ./cmd/gotrain
}

# start RUN SIZE [FLAGS...] starts SIZE ranks that train into RUN: pids has their processes, $tmp/log.RANK what they say.
# One rank is a process without a launcher.
start() {
  local run=$1 size=$2 rank
  shift 2
  port=$((port + 1))
  pids=()
  rm -f "$tmp"/log.*
  if [ "$size" = 1 ]; then
    "$tmp/gotrain" "${flags[@]}" "$@" --run "$run" 2>"$tmp/log.0" &
    pids=($!)
    return
  fi
  for ((rank = 0; rank < size; rank++)); do
    RANK=$rank WORLD_SIZE=$size LOCAL_RANK=$rank LOCAL_WORLD_SIZE=$size MASTER_ADDR=127.0.0.1 MASTER_PORT=$port \
      "$tmp/gotrain" "${flags[@]}" "$@" --run "$run" 2>"$tmp/log.$rank" &
    pids+=($!)
  done
}

# ended waits for all ranks: statuses has how they ended. It fails when one of them failed.
ended() {
  local bad=0 pid status
  statuses=()
  for pid in "${pids[@]}"; do
    status=0
    wait "$pid" 2>/dev/null || status=$?
    statuses+=("$status")
    [ "$status" = 0 ] || bad=1
  done
  return $bad
}

# slay PID ends a rank by SIGKILL, without bash's notice of it. It fails when there is none.
slay() {
  {
    kill -KILL "$1" || return 1
    wait "$1" || true
  } 2>/dev/null
}

# await SECONDS WHAT COMMAND... polls until COMMAND succeeds.
await() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || fail "waited in vain: $what"
    sleep 0.01
  done
}

made() { grep -c '"split":"train"' "$1/metrics.jsonl" || true; } # the steps that are in the metrics of a run
reached() { [ "$(made "$1")" -ge "$2" ]; }
says() { grep -qE -- "$1" "$tmp"/log.*; }

# bits are those of a run's newest checkpoint; losses are split and loss of each line of its metrics.
bits() { cat "$1"/checkpoints/latest/*.safetensors | sha256sum; }
losses() { sed 's/.*"step":\([0-9]*\).*"split":\("[a-z]*"\),"nll":\([^,]*\),.*/\1 \2 \3/' "$1/metrics.jsonl"; }

fail() {
  echo "$*; the last logs:"
  tail -n 20 "$tmp"/log.*
  exit 1
}
