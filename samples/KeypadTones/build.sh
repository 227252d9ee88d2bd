#!/usr/bin/env bash
# Builds the plugin into the plugins folder of an AsrPlatform program: ./build.sh [FOLDER OF THE PROGRAM]
app=$(realpath "${1:-$(dirname "$0")/../../artifacts/app}") && exec dotnet build "$(dirname "$0")" -c Release -nologo -v quiet -p:AsrPlatform="$app" -o "$app/plugins/keypad-tones"
