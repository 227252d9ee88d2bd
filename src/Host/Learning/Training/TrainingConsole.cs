using System.Globalization;
using AsrPlatform.Abstractions.Training;

namespace AsrPlatform.Host.Learning.Training;

/// <summary>
/// Shows a run on a terminal: the current step on a line that is written over, evaluations and checkpoints on lines that stay. Elsewhere,
/// plain lines: one for each line of the log.
/// </summary>
/// <remarks>Belongs to the training thread.</remarks>
internal sealed class TrainingConsole
{
    private static readonly TimeSpan RedrawInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>How much a step counts in the mean that the remaining time is estimated from: all of the first ten alike, then about the last ten.</summary>
    private const double Smoothing = 0.1;

    private readonly TextWriter _writer;
    private readonly TimeProvider _time;
    private readonly int? _width;
    private long? _lastStepAt;
    private long? _drawnAt;
    private double? _secondsPerStep;
    private double? _samplesPerSecond;
    private int _measured = 1;
    private bool _lineIsOpen;
    private int _lastStep;

    /// <summary>Makes a view.</summary>
    /// <param name="writer">Where to write, usually stderr.</param>
    /// <param name="width">Columns of the terminal; null when it is none.</param>
    /// <param name="time">The clock.</param>
    public TrainingConsole(TextWriter writer, int? width, TimeProvider time)
    {
        _writer = writer;
        _width = width;
        _time = time;
    }

    /// <summary>Shows what a trainer reports.</summary>
    public void Report(TrainingProgress progress)
    {
        switch (progress.Event)
        {
            case TrainingEvent.Started:
                Line(Started(progress));
                _lastStep = progress.Step;
                _lastStepAt = _time.GetTimestamp();
                break;
            case TrainingEvent.Step:
                Measure(progress);
                if (_width is not null && (_drawnAt is not { } drawn || _time.GetElapsedTime(drawn) >= RedrawInterval || progress.Step == progress.MaxSteps))
                {
                    Draw(Step(progress));
                }

                break;
            case TrainingEvent.Log when _width is null:
                Line(Step(progress));
                break;
            case TrainingEvent.Evaluating when _width is not null:
                Draw(Invariant($"step {progress.Step}/{progress.MaxSteps}  evaluating {Value(progress, "done"):0}/{Value(progress, "total"):0}"));
                break;
            case TrainingEvent.Evaluated:
                Line(Evaluated(progress));
                Restart();
                break;
            case TrainingEvent.Saved:
                Line($"step {progress.Step}/{progress.MaxSteps}  saved {progress.Message}");
                Restart();
                break;
            case TrainingEvent.Warning:
                Line($"warning: {progress.Message}");
                break;
            default:
                break;
        }
    }

    /// <summary>Ends the line that is written over, so that what follows starts on one of its own.</summary>
    public void Close()
    {
        if (_lineIsOpen)
        {
            _writer.WriteLine();
            _writer.Flush();
            _lineIsOpen = false;
        }
    }

    private static string Started(TrainingProgress progress)
    {
        var parts = new List<string> { progress.Step == 0 ? Invariant($"{progress.MaxSteps} steps") : Invariant($"goes on after step {progress.Step} of {progress.MaxSteps}") };
        if (Value(progress, "num_train_epochs") is { } epochs)
        {
            parts.Add(Invariant($"{epochs:0.##} epochs"));
        }

        if (Value(progress, "examples") is { } examples)
        {
            parts.Add(Invariant($"{examples:0} examples"));
        }

        if (Value(progress, "trainable_parameters") is { } trainable)
        {
            parts.Add(Value(progress, "parameters") is { } all && all > trainable
                ? Invariant($"{trainable:#,0} of {all:#,0} parameters train ({100 * trainable / all:0.##} %)")
                : Invariant($"{trainable:#,0} parameters train"));
        }

        return string.Join(", ", parts);
    }

    private static string Evaluated(TrainingProgress progress)
    {
        var text = Invariant($"step {progress.Step}/{progress.MaxSteps}");
        if (Value(progress, "eval_loss") is { } loss)
        {
            text += Invariant($"  eval loss {loss:0.0000}");
        }

        return Value(progress, "eval_wer") is { } wer ? text + Invariant($"  WER {wer:0.00} %") : text;
    }

    private string Step(TrainingProgress progress)
    {
        var text = Invariant($"step {progress.Step}/{progress.MaxSteps}");
        if (Value(progress, "loss") is { } loss)
        {
            text += Invariant($"  loss {loss:0.0000}");
        }

        if (Value(progress, "learning_rate") is { } rate)
        {
            text += Invariant($"  lr {rate:0.00e+00}");
        }

        if ((Value(progress, "samples_per_second") ?? _samplesPerSecond) is { } speed)
        {
            text += Invariant($"  {speed:0.0} samples/s");
        }

        if (_secondsPerStep is { } seconds && progress.Step < progress.MaxSteps)
        {
            var left = TimeSpan.FromSeconds(Math.Min(seconds * (progress.MaxSteps - progress.Step), TimeSpan.MaxValue.TotalSeconds / 2));
            text += Invariant($"  ETA {(long)left.TotalHours}:{left.Minutes:00}:{left.Seconds:00}");
        }

        return text;
    }

    /// <summary>Takes the time of a step; evaluations and saving are left out of it (<see cref="Restart"/>).</summary>
    private void Measure(TrainingProgress progress)
    {
        var now = _time.GetTimestamp();
        if (_lastStepAt is { } last && progress.Step > _lastStep)
        {
            var seconds = _time.GetElapsedTime(last, now).TotalSeconds / (progress.Step - _lastStep);
            _secondsPerStep = _secondsPerStep is { } mean ? mean + (Math.Max(Smoothing, 1.0 / ++_measured) * (seconds - mean)) : seconds;
        }

        (_lastStepAt, _lastStep) = (now, progress.Step);
        _samplesPerSecond = Value(progress, "samples_per_second") ?? _samplesPerSecond;
    }

    private void Restart() => _lastStepAt = _time.GetTimestamp();

    private void Draw(string text)
    {
        _drawnAt = _time.GetTimestamp();

        // Carriage return, erase the line. A line that wraps could not be written over.
        _writer.Write("\r\u001b[2K" + (text.Length < _width ? text : text[..Math.Max(0, _width!.Value - 1)]));
        _writer.Flush();
        _lineIsOpen = true;
    }

    private void Line(string text)
    {
        _writer.WriteLine(_lineIsOpen ? "\r\u001b[2K" + text : text);
        _writer.Flush();
        _lineIsOpen = false;
    }

    private static double? Value(TrainingProgress progress, string name) => progress.Values.TryGetValue(name, out var value) ? value : null;

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
