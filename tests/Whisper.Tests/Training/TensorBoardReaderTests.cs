using AsrPlatform.Abstractions;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class TensorBoardReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_AFolderAboveTheFiles_GivesTheCurves()
    {
        using var writer = TensorBoardWriter.Create(_folder.File("runs/a"));
        writer.Write(new TrainerLogEntry(1, 0, new Dictionary<string, double> { ["loss"] = 3, ["learning_rate"] = 1e-5 }));
        writer.Write(new TrainerLogEntry(300, 1, new Dictionary<string, double> { ["loss"] = double.NaN, ["eval_wer"] = 50 }));
        foreach (var path in new[] { _folder.Root, _folder.File("runs"), writer.Path })
        {
            var curves = TensorBoardReader.Read(path);
            Assert.Equal(["eval/wer", "train/epoch", "train/learning_rate", "train/loss"], curves.Keys.Order());
            Assert.Equal([new CurvePoint(1, 3), new CurvePoint(300, float.NaN)], curves["train/loss"]);
            Assert.Equal([new CurvePoint(300, 50)], curves["eval/wer"]);
        }
    }

    [Fact]
    public void Read_AResumedRun_TakesTheStepsOfTheLaterFile()
    {
        Write(null, (10, 5), (20, 4), (30, 3));
        Write(20, (20, 2), (30, 1));
        Assert.Equal([new CurvePoint(10, 5), new CurvePoint(20, 2), new CurvePoint(30, 1)], TensorBoardReader.Read(_folder.Root)["train/loss"]);
    }

    [Fact]
    public void Read_AFileThatIsBeingWritten_EndsBeforeTheHalfRecord()
    {
        var bytes = File.ReadAllBytes(Write(null, (10, 5), (20, 4)));
        for (var cut = 1; cut < 40; cut++)
        {
            var half = _folder.File("half");
            File.WriteAllBytes(half, bytes[..^cut]);
            Assert.Equal([new CurvePoint(10, 5)], TensorBoardReader.Read(half)["train/loss"]);
        }
    }

    [Fact]
    public void Read_AnyByteChanged_SaysThatTheRecordIsBroken()
    {
        var bytes = File.ReadAllBytes(Write(null, (10, 5)));
        for (var at = 0; at < bytes.Length; at++)
        {
            var broken = _folder.File("broken");
            File.WriteAllBytes(broken, [.. bytes[..at], (byte)(bytes[at] ^ 0x10), .. bytes[(at + 1)..]]);
            Assert.Contains("is broken", Assert.Throws<AsrException>(() => TensorBoardReader.Read(broken)).Message);
        }
    }

    [Fact]
    public void Read_WhereNothingIs_SaysWhatToGive()
    {
        Assert.Contains("--report-to tensorboard", Assert.Throws<AsrException>(() => TensorBoardReader.Read(_folder.Root)).Message);
        Assert.Contains("does not exist", Assert.Throws<AsrException>(() => TensorBoardReader.Read(_folder.File("none"))).Message);
    }

    private string Write(int? purgeStep, params (int Step, double Loss)[] points)
    {
        using var writer = TensorBoardWriter.Create(_folder.Root, purgeStep);
        foreach (var (step, loss) in points)
        {
            writer.Write(new TrainerLogEntry(step, 0, new Dictionary<string, double> { ["loss"] = loss }));
        }

        return writer.Path;
    }
}
