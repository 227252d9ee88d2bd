using System.Xml.Linq;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>asr inspect curves</c>.</summary>
public sealed class InspectCurvesTests : IDisposable
{
    private readonly TemporaryFolder _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void Curves_WithoutOutput_AreATableWithEveryEvaluation()
    {
        WriteRun(steps: 200);
        var lines = AsrProcess.Run("inspect", "curves", _run.Root).ShouldSucceed().TrimEnd('\n').Split('\n');
        Assert.Equal(["step", "loss", "learning", "rate", "eval", "WER", "%"], lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.InRange(lines.Length, 35, 50);
        Assert.Equal(["1", "2", "1e-5"], lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(["77", "0.02597", "7.7e-4", "12.5"], lines.Single(line => line.TrimStart().StartsWith("77 ", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void Curves_WithOutput_AreDrawn()
    {
        WriteRun(steps: 200);
        var file = _run.File("curves.svg");
        Assert.Equal("", AsrProcess.Run("inspect", "curves", _run.Root, "--output", file).ShouldSucceed());
        var svg = XDocument.Load(file).Root!;
        XNamespace ns = "http://www.w3.org/2000/svg";
        Assert.Equal(3, svg.Elements(ns + "g").Count());
        var texts = svg.Descendants(ns + "text").Select(text => text.Value).ToList();
        Assert.Contains("eval/wer: 12.5 at step 77", texts);
        Assert.Contains("train/loss: 0.01 at step 200", texts);
        Assert.DoesNotContain("href", File.ReadAllText(file), StringComparison.Ordinal);

        // The loss of 200 steps is one line from left to right, down.
        var line = svg.Elements(ns + "g").First().Elements(ns + "path").Single(path => (string?)path.Attribute("fill") == "none").Attribute("d")!.Value;
        var points = line[1..].Split('L').Select(point => point.Split(' ').Select(number => double.Parse(number, System.Globalization.CultureInfo.InvariantCulture)).ToArray()).ToList();
        Assert.Equal(200, points.Count);
        Assert.Equal(points.Select(point => point[0]).Order(), points.Select(point => point[0]));
        Assert.Equal(points.Select(point => point[1]).Order(), points.Select(point => point[1]));
    }

    [Fact]
    public void Curves_OfNothing_SayWhatIsMissing()
    {
        AsrProcess.Run("inspect", "curves", _run.Root).ShouldFailWith("--report-to tensorboard");
        WriteRun(steps: 0);
        AsrProcess.Run("inspect", "curves", _run.Root, "--output", _run.File("x.svg")).ShouldFailWith("no curves of a training run yet");
    }

    private void WriteRun(int steps)
    {
        using var writer = TensorBoardWriter.Create(_run.File("runs"));
        for (var step = 1; step <= steps; step++)
        {
            writer.Write(new TrainerLogEntry(step, 0, new Dictionary<string, double> { ["loss"] = 2.0 / step, ["learning_rate"] = 1e-5 * step }));
            if (step == 77)
            {
                writer.Write(new TrainerLogEntry(step, 0, new Dictionary<string, double> { ["eval_wer"] = 12.5 }));
            }
        }
    }
}
