# Sets up, builds and starts the host on Windows; prints the page's address. Options go to 'asr serve':
#   ./run.ps1 [--model DIR] [--urls http://127.0.0.1:5080] …
# On Windows the plugins are built on the real packages (TorchSharp-cuda-windows, Microsoft.ML.OnnxRuntime.Gpu), which NuGet brings.
# Untested: no Windows machine was at hand when this was written.
$ErrorActionPreference = 'Stop'
Set-Location $PSScriptRoot

function Say([string] $text) { Write-Host "[setup] $text" }

if (-not (Get-Command dotnet -ErrorAction SilentlyContinue)) {
    throw '.NET 10 is missing: winget install Microsoft.DotNet.SDK.10'
}
if (-not (Get-Command node -ErrorAction SilentlyContinue)) {
    throw 'Node.js 20 or newer is missing: winget install OpenJS.NodeJS.LTS'
}
if (-not (Get-Command ffmpeg -ErrorAction SilentlyContinue)) {
    Say 'ffmpeg is missing: WAV files work without it; for other formats: winget install Gyan.FFmpeg'
}

$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'
if (Test-Path src/Host/ClientApp/package.json) {
    Say 'the page'
    Push-Location src/Host/ClientApp
    try { npm ci --no-fund --no-audit; npm run build } finally { Pop-Location }
}

Say 'building'
$projects = @('src/Host/Host.csproj') + (Get-ChildItem plugins/*/*.csproj | ForEach-Object { $_.FullName })
foreach ($project in $projects) {
    dotnet build $project -v minimal -nologo -p:TorchBinding=TorchSharp -p:OnnxBinding=OnnxRuntime
    if ($LASTEXITCODE -ne 0) { throw "building $project failed" }
}

dotnet artifacts/app/asr.dll serve @args
exit $LASTEXITCODE
