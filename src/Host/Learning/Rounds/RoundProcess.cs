using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>Says how a round's process is started.</summary>
internal delegate ProcessStartInfo RoundProgram(RoundFolder round);

/// <summary>A round in a process of its own: when training crashes, captions go on.</summary>
/// <remarks>
/// It writes a <see cref="RoundProgress"/> a line, and stops with a checkpoint when its standard input ends, as it does when the host dies.
/// Safe for concurrent calls.
/// </remarks>
internal sealed class RoundProcess : IDisposable
{
    /// <summary>Exit code of a process whose round another one still has.</summary>
    public const int Busy = 75;

    private readonly Process _process;
    private readonly Lock _gate = new();
    private readonly StreamWriter _log;
    private string? _lastError;

    private RoundProcess(Process process, StreamWriter log)
    {
        _process = process;
        _log = log;
    }

    /// <summary>The last line that it wrote to stderr, without the program's name.</summary>
    public string? LastError
    {
        get
        {
            lock (_gate)
            {
                return _lastError;
            }
        }
    }

    /// <summary>The same program again, at the lowest priority: <c>asr learn --round DIR</c>.</summary>
    /// <param name="options">Say how many threads it may use.</param>
    /// <param name="dataDirectory">The data folder.</param>
    /// <param name="pluginsDirectory">The plugins' folder.</param>
    public static RoundProgram SameProgram(LearningOptions options, string dataDirectory, string pluginsDirectory) => round =>
    {
        var program = Environment.ProcessPath!;
        string[] command = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [program, typeof(RoundProcess).Assembly.Location] : [program];

        // A process that lowers its own priority reaches only the thread that asks.
        string[] nice = OperatingSystem.IsWindows() ? [] : ["nice", "-n", "19"];
        string[] all = [.. nice, .. command, "learn", "--round", round.Directory, "--data-dir", dataDirectory, "--plugins-dir", pluginsDirectory];
        var start = new ProcessStartInfo(all[0], all[1..]);
        if (options.Threads > 0)
        {
            start.Environment["OMP_NUM_THREADS"] = options.Threads.ToString(CultureInfo.InvariantCulture);
        }

        return start;
    };

    /// <summary>Starts one. The caller disposes it, after it has ended.</summary>
    /// <param name="start">What to start.</param>
    /// <param name="log">The file that its stderr goes to.</param>
    /// <param name="progress">Told what it says, one call at a time.</param>
    /// <exception cref="AsrException">It cannot be started.</exception>
    public static RoundProcess Start(ProcessStartInfo start, string log, Action<RoundProgress> progress)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        try
        {
            var round = new RoundProcess(Process.Start(start)!, new StreamWriter(log, append: true) { AutoFlush = true });
            round._process.OutputDataReceived += (_, line) => Read(line.Data, progress);
            round._process.ErrorDataReceived += (_, line) => round.Note(line.Data);
            round._process.BeginOutputReadLine();
            round._process.BeginErrorReadLine();
            if (OperatingSystem.IsWindows())
            {
                round._process.PriorityClass = ProcessPriorityClass.Idle;
            }

            return round;
        }
        catch (Exception error) when (error is System.ComponentModel.Win32Exception or IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            throw new AsrException($"the process of the round cannot be started: {error.Message}", error);
        }
    }

    /// <summary>Waits until it has ended and everything that it said was told; its exit code.</summary>
    public async Task<int> WaitAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        return _process.ExitCode;
    }

    /// <summary>Makes it stand still, where the system can.</summary>
    public void Pause() => ProcessSignals.Pause(_process.Id);

    /// <summary>Lets it go on.</summary>
    public void Resume() => ProcessSignals.Resume(_process.Id);

    /// <summary>Asks it to save and end, waits for that, and ends it when that takes too long; its exit code.</summary>
    public async Task<int> StopAsync(TimeSpan patience, TimeProvider time)
    {
        if (!_process.HasExited)
        {
            ProcessSignals.Ask(_process);
            using var deadline = new CancellationTokenSource(patience, time);
            try
            {
                return await WaitAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill(entireProcessTree: true);
            }
        }

        return await WaitAsync(CancellationToken.None);
    }

    public void Dispose()
    {
        _process.Dispose();
        lock (_gate)
        {
            _log.Dispose();
        }
    }

    private static void Read(string? line, Action<RoundProgress> progress)
    {
        if (line is not ['{', ..])
        {
            return;
        }

        RoundProgress? said;
        try
        {
            said = JsonSerializer.Deserialize<RoundProgress>(line, JsonSerializerOptions.Web);
        }
        catch (JsonException)
        {
            // Cut off by a crash.
            return;
        }

        if (said is { Phase: not null, Values: not null })
        {
            progress(said);
        }
    }

    private void Note(string? line)
    {
        if (string.IsNullOrWhiteSpace(line))
        {
            return;
        }

        lock (_gate)
        {
            _lastError = line.StartsWith("asr: ", StringComparison.Ordinal) ? line["asr: ".Length..] : line;
            if (_log.BaseStream is not null)
            {
                _log.WriteLine(line);
            }
        }
    }
}
