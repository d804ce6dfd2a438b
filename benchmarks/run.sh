#!/usr/bin/env bash
# run.sh: every benchmark in order, alone on the machine (hours on two cores; see README.md for each one's share).
# The long ones go on where a killed run stopped. Results are in results/, one JSON file each.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$PWD/.venv/bin/python
PYTHON=$python benchmarks/build_peer.sh .bench/peer

bench() { echo "== $*" && "$python" "benchmarks/$1.py" "${@:2}"; }

bench startup
bench decode
bench drafts
bench index
bench memory
bench swap
bench outcomes
bench ledger
bench ledger_kill
bench latency --as-used
bench latency --window ours
bench latency --window llama.vim
bench latency --peer create-completion --files 12 --keys 5
bench quality
bench primer
bench training
bench training --ablate
bench healing
bench gate
bench budgets
bench budgets --timed 12
bench neovim_client
bench vscode_client
bench memory_cases
bench night
bench night_latency
bench night_kill
bench feedback
bench distillation
bench personal
bench slope
