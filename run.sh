#!/usr/bin/env bash
# Sets up, builds and starts the host; prints the page's address. Options go to 'asr serve' (see ./asr serve --help):
#   ./run.sh [--model DIR] [--urls http://127.0.0.1:5080] …
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
eng/setup.sh
eng/build.sh
exec ./asr serve "$@"
