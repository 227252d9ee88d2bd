using AsrPlatform.Abstractions.Training;
using AsrPlatform.Host.Learning.Training;
using Microsoft.Extensions.Time.Testing;

namespace AsrPlatform.Host.Tests.Learning.Training;

public sealed class TrainingConsoleTests : IDisposable
{
    private readonly StringWriter _text = new() { NewLine = "\n" };
    private readonly FakeTimeProvider _time = new();

    public void Dispose() => _text.Dispose();

    [Fact]
    public void Report_NoTerminal_WritesALineForEachLogLine()
    {
        var console = new TrainingConsole(_text, width: null, _time);
        console.Report(Progress(TrainingEvent.Started, 0, ("num_train_epochs", 2), ("examples", 100), ("trainable_parameters", 1_000), ("parameters", 40_000)));
        _time.Advance(TimeSpan.FromSeconds(2));
        console.Report(Progress(TrainingEvent.Step, 1, ("loss", 1), ("samples_per_second", 3.26)));
        console.Report(Progress(TrainingEvent.Log, 1, ("loss", 1.25), ("learning_rate", 1e-5)));
        console.Report(Progress(TrainingEvent.Evaluating, 1, ("done", 1), ("total", 2)));
        console.Report(Progress(TrainingEvent.Evaluated, 1, ("eval_loss", 0.3075), ("eval_wer", 34.63)));
        console.Report(Progress(TrainingEvent.Saved, 1) with { Message = "out/checkpoint-1" });
        console.Report(Progress(TrainingEvent.Warning, 1) with { Message = "look out" });
        console.Close();
        Assert.Equal(
            """
            3601 steps, 2 epochs, 100 examples, 1,000 of 40,000 parameters train (2.5 %)
            step 1/3601  loss 1.2500  lr 1.00e-05  3.3 samples/s  ETA 2:00:00
            step 1/3601  eval loss 0.3075  WER 34.63 %
            step 1/3601  saved out/checkpoint-1
            warning: look out

            """.ReplaceLineEndings("\n"),
            _text.ToString());
    }

    [Fact]
    public void Report_Terminal_WritesOverTheStepAndKeepsTheRest()
    {
        var console = new TrainingConsole(_text, width: 30, _time);
        Step(console, 1, seconds: 1);
        Step(console, 2, seconds: 0.01);
        Step(console, 3, seconds: 1);
        console.Report(Progress(TrainingEvent.Evaluated, 3, ("eval_wer", 5)));
        Step(console, 4, seconds: 1);
        console.Close();
        console.Close();
        Assert.Equal(
            "\r\u001b[2Kstep 1/3601  loss 0.5000\r\u001b[2Kstep 3/3601  loss 0.5000  ETA\r\u001b[2Kstep 3/3601  WER 5.00 %\n\r\u001b[2Kstep 4/3601  loss 0.5000  ETA\n",
            _text.ToString());
    }

    [Fact]
    public void Report_EvaluationsAndSaving_DoNotCountAsSteps()
    {
        var console = new TrainingConsole(_text, width: null, _time);
        console.Report(Progress(TrainingEvent.Started, 3000));
        Step(console, 3001, seconds: 1);
        _time.Advance(TimeSpan.FromHours(1));
        console.Report(Progress(TrainingEvent.Evaluated, 3001));
        _time.Advance(TimeSpan.FromHours(1));
        console.Report(Progress(TrainingEvent.Saved, 3001));
        Step(console, 3002, seconds: 1);
        console.Report(Progress(TrainingEvent.Log, 3002));
        Assert.Contains("goes on after step 3000 of 3601\n", _text.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("step 3002/3601  ETA 0:09:59\n", _text.ToString(), StringComparison.Ordinal);
    }

    private void Step(TrainingConsole console, int step, double seconds)
    {
        _time.Advance(TimeSpan.FromSeconds(seconds));
        console.Report(Progress(TrainingEvent.Step, step, ("loss", 0.5)));
    }

    private static TrainingProgress Progress(TrainingEvent what, int step, params (string Name, double Value)[] values) =>
        new(what, step, 3601, values.ToDictionary(pair => pair.Name, pair => pair.Value));
}
