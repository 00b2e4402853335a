#!/bin/bash
# From nothing to an answer: installs what is missing, builds the programs, starts a classifier, a
# generation server and a router on free loopback ports, asks one question over one long document
# with the full KV cache and with a compressed one, and shows both receipts. Then it stops what it
# started.
#
#   deploy/quickstart.sh [--serve | --dashboard | --help]
#
# --serve: leave the servers running; --dashboard: likewise, with a Prometheus beside them that draws
# the memory saved.
set -Eeuo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=$ROOT/build/release/bin
MODELS=$ROOT/deploy/models
EXAMPLE=$ROOT/tests/golden/data
DASHBOARD=$ROOT/deploy/prometheus
# Of Debian's prometheus package.
CONSOLE_LIBRARIES=/usr/share/doc/prometheus/examples/console_libraries
BUDGET=256
START_SECONDS=120

# Of the servers started here, in the order of their start: process ids, and by name the addresses.
PIDS=()
declare -A GRPC HTTP PID
KEEP_RUNNING=false

# gRPC would send even loopback calls to a proxy that the environment names.
export no_grpc_proxy=127.0.0.1

# The comment at the head of this file.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

say() { echo "quickstart: $*"; }

fail() { # STEP WHAT_TO_DO [LOG]
  {
    if [[ -n ${3-} && -s $3 ]]; then
      echo "quickstart: the last lines of $3:"
      tail -n 20 "$3" | sed 's/^/    /'
    fi
    echo "quickstart: FAILED: $1"
    echo "quickstart: what to do: $2"
  } >&2
  exit 1
}

stop_servers() {
  ((${#PIDS[@]})) || return 0
  kill -TERM "${PIDS[@]}" 2>/dev/null || true
  local tenths pid
  for pid in "${PIDS[@]}"; do
    for ((tenths = 0; tenths < 150; tenths++)); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null && say "process $pid did not stop in 15 s and was killed" >&2
  done
  PIDS=()
}

on_exit() {
  local code=$?
  trap - EXIT
  if $KEEP_RUNNING && ((code == 0)); then exit 0; fi
  stop_servers
  if ((code == 0)); then
    rm -rf "$WORK"
  else
    echo "quickstart: the logs are in $WORK" >&2
  fi
  exit "$code"
}

build() {
  cd "$ROOT"
  # Lets ccache know the same sources again in another folder.
  export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
  say "building the release preset (minutes the first time)"
  cmake --preset release >"$WORK/configure.log" 2>&1 ||
    fail "cmake --preset release" "see CMake's message above; 'rm -r build/release' starts afresh" \
      "$WORK/configure.log"
  cmake --build --preset release --parallel "$(nproc)" \
    --target windowkv-classifier windowkv-generation windowkv-router windowkv ||
    fail "cmake --build --preset release" \
      "see the first error above; one compiler process needs up to 1.5 GB of memory"
}

# Starts a server on free ports and waits for its ready line.
start() { # NAME FLAG...
  local name=$1 tenths
  shift
  : >"$WORK/$name.out"
  # In a session of its own: an interrupt at the terminal reaches this script alone, which then
  # stops the servers, and with --serve they outlive the terminal.
  setsid "$BIN/$name" --listen 127.0.0.1:0 --http 127.0.0.1:0 "$@" \
    </dev/null >"$WORK/$name.out" 2>"$WORK/$name.log" &
  PID[$name]=$!
  PIDS+=($!)
  for ((tenths = 0; tenths < START_SECONDS * 10; tenths++)); do
    if [[ $(<"$WORK/$name.out") =~ $name\ ready:\ grpc\ ([^[:space:]]+)\ http\ ([^[:space:]]+) ]]; then
      GRPC[$name]=${BASH_REMATCH[1]}
      HTTP[$name]=${BASH_REMATCH[2]}
      say "$name runs: process ${PID[$name]}, grpc ${GRPC[$name]}, http ${HTTP[$name]}"
      return
    fi
    kill -0 "${PID[$name]}" 2>/dev/null ||
      fail "$name ended before it was ready" "see its log above" "$WORK/$name.log"
    sleep 0.1
  done
  fail "$name was not ready within $START_SECONDS s" "see its log above" "$WORK/$name.log"
}

# Whether the server's /readyz says 200, which is its health saying SERVING.
is_serving() { # NAME
  local address=${HTTP[$1]} status
  exec 3<>"/dev/tcp/${address%:*}/${address##*:}" || return 1
  printf 'GET /readyz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$address" >&3
  read -r -t 5 status <&3 || true
  exec 3>&-
  [[ $status == HTTP/1.?\ 200* ]]
}

wait_until_serving() {
  local name tenths
  for name in "$@"; do
    for ((tenths = 0; ; tenths++)); do
      if is_serving "$name" 2>/dev/null; then break; fi
      kill -0 "${PID[$name]}" 2>/dev/null || fail "$name ended" "see its log above" "$WORK/$name.log"
      ((tenths < START_SECONDS * 10)) ||
        fail "the health of $name was not SERVING within $START_SECONDS s" "see its log above" \
          "$WORK/$name.log"
      sleep 0.1
    done
  done
}

# Asks the example question; the server's messages go to NAME.json, one a line.
ask() { # NAME FLAG...
  local name=$1
  shift
  "$BIN/windowkv" generate --target "${GRPC[windowkv-router]}" --chat --prompt-file "$WORK/prompt.txt" \
    --temperature 0 --max-tokens 32 --json "$@" >"$WORK/$name.json" 2>"$WORK/$name.log" ||
    fail "windowkv generate $*" "see its message above, and the servers' logs in $WORK" \
      "$WORK/$name.log"
}

check_prometheus() {
  command -v prometheus >/dev/null ||
    fail "prometheus is not installed" "run deploy/install_dependencies.sh --dashboard"
  [[ -f $CONSOLE_LIBRARIES/prom.lib ]] ||
    fail "$CONSOLE_LIBRARIES/prom.lib is missing" \
      "it comes with the package prometheus, unless dpkg is told to leave /usr/share/doc out"
}

# Starts Prometheus on a free port; it scrapes the ports that the servers got.
start_prometheus() {
  local file tenths
  mkdir "$WORK/prometheus"
  for file in "$DASHBOARD"/*.yml; do
    sed -e "s/127.0.0.1:9100/${HTTP[windowkv-router]}/" \
      -e "s/127.0.0.1:9101/${HTTP[windowkv-generation]}/" \
      -e "s/127.0.0.1:9102/${HTTP[windowkv-classifier]}/" "$file" >"$WORK/prometheus/${file##*/}"
  done
  : >"$WORK/prometheus.log"
  setsid prometheus --config.file="$WORK/prometheus/prometheus.yml" \
    --storage.tsdb.path="$WORK/prometheus/data" --web.listen-address=127.0.0.1:0 \
    --web.console.templates="$DASHBOARD/consoles" --web.console.libraries="$CONSOLE_LIBRARIES" \
    </dev/null >"$WORK/prometheus.log" 2>&1 &
  PID[prometheus]=$!
  PIDS+=($!)
  for ((tenths = 0; tenths < START_SECONDS * 10; tenths++)); do
    if [[ $(<"$WORK/prometheus.log") =~ Listening\ on\"\ address=([0-9.:]+) ]]; then
      HTTP[prometheus]=${BASH_REMATCH[1]}
      say "prometheus runs: process ${PID[prometheus]}, http ${HTTP[prometheus]}"
      return
    fi
    kill -0 "${PID[prometheus]}" 2>/dev/null ||
      fail "prometheus ended before it listened" "see its log above" "$WORK/prometheus.log"
    sleep 0.1
  done
  fail "prometheus did not listen within $START_SECONDS s" "see its log above" "$WORK/prometheus.log"
}

show_dashboard() {
  local windowkv
  printf -v windowkv %q "$BIN/windowkv"
  cat <<END

The memory saved: http://${HTTP[prometheus]}/consoles/memory_savings.html
To see the curves move: $windowkv bench load --target ${GRPC[windowkv-router]} --rate 1 --duration 2m --prompt-tokens 2000:0.8,6000:0.2 --policy windowkv --budget-tokens $BUDGET
END
}

show_serving() {
  local windowkv prompt
  printf -v windowkv %q "$BIN/windowkv"
  printf -v prompt %q "$WORK/prompt.txt"
  cat <<END

The servers keep running. Three calls to try:

  $windowkv generate --target ${GRPC[windowkv-router]} --chat --prompt-file $prompt --policy windowkv --budget-tokens $BUDGET
  $windowkv classify --target ${GRPC[windowkv-classifier]} --prompt "Summarize the minutes of this meeting."
  $windowkv info --target ${GRPC[windowkv-router]}

Metrics: http://${HTTP[windowkv-generation]}/metrics    Logs: $WORK
To stop them: kill ${PIDS[*]}
END
}

main() {
  local serve=false dashboard=false install=("$ROOT/deploy/install_dependencies.sh")
  case ${1-} in
    '') ;;
    --serve) serve=true ;;
    --dashboard) serve=true dashboard=true install+=(--dashboard) ;;
    -h | --help)
      usage
      return
      ;;
    *) fail "unknown argument '$1'" "there are --serve, --dashboard and --help" ;;
  esac
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/windowkv-quickstart.XXXXXX")
  trap on_exit EXIT
  trap 'fail "$BASH_COMMAND (line $LINENO)" "this was not foreseen: report it"' ERR
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP

  "${install[@]}" ||
    fail "deploy/install_dependencies.sh" "follow its advice above and run this again"
  if $dashboard; then check_prometheus; fi
  build
  start windowkv-classifier --model "$MODELS/task_classifier"
  start windowkv-generation --model "$MODELS/demo_llama"
  start windowkv-router --classifier "${GRPC[windowkv-classifier]}" \
    --generation "${GRPC[windowkv-generation]}"
  wait_until_serving windowkv-classifier windowkv-generation windowkv-router
  if $dashboard; then start_prometheus; fi

  python3 "$ROOT/deploy/example_question.py" prompt "$EXAMPLE" >"$WORK/prompt.txt"
  say "asking with the full cache, then with $BUDGET tokens per layer"
  ask full --policy full
  ask windowkv --policy windowkv --budget-tokens "$BUDGET"
  echo
  python3 "$ROOT/deploy/example_question.py" compare "$EXAMPLE" "$WORK/full.json" "$WORK/windowkv.json" ||
    fail "an answer is not the expected one" "report the table above and the machine's processor"
  if $serve; then
    KEEP_RUNNING=true
    show_serving
    if $dashboard; then show_dashboard; fi
  fi
}

main "$@"
