using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class TensorBoardWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_Lines_ReadBack()
    {
        string path;
        using (var writer = TensorBoardWriter.Create(_folder.File("runs/a"), time: new Clock()))
        {
            path = writer.Path;
            writer.Write(new TrainerLogEntry(25, 0.5, new Dictionary<string, double> { ["loss"] = 1.25, ["learning_rate"] = 1e-5, ["grad_norm"] = 3 }));
            writer.Write(new TrainerLogEntry(100_000, 2, new Dictionary<string, double> { ["eval_wer"] = 33.5, ["eval_loss"] = double.NaN }));
        }

        Assert.Matches(@"^events\.out\.tfevents\.1700000000\.[A-Za-z0-9_-]+\.\d+\.0$", Path.GetFileName(path));
        var events = EventFile.Read(path);
        Assert.Equal("brain.Event:2", events[0].FileVersion);
        Assert.All(events, entry => Assert.Equal(1_700_000_000.25, entry.WallTime));
        Assert.Equal([0, 25, 100_000], events.Select(entry => entry.Step));
        Assert.Equal([("train/grad_norm", 3f), ("train/learning_rate", 1e-5f), ("train/loss", 1.25f), ("train/epoch", 0.5f)], events[1].Scalars);
        Assert.Equal([("eval/loss", float.NaN), ("eval/wer", 33.5f), ("train/epoch", 2f)], events[2].Scalars);
    }

    [Fact]
    public void Write_BeforeTheEnd_IsInTheFileAlready()
    {
        using var writer = TensorBoardWriter.Create(_folder.Root);
        writer.Write(new TrainerLogEntry(1, 0, new Dictionary<string, double> { ["loss"] = 1 }));
        var copy = _folder.File("copy");
        File.Copy(writer.Path, copy);
        Assert.Equal(2, EventFile.Read(copy).Count);
    }

    [Fact]
    public void Create_ResumedRun_TakesBackWhatCameAfterTheCheckpoint()
    {
        using (TensorBoardWriter.Create(_folder.Root, time: new Clock()))
        {
        }

        string path;
        using (var writer = TensorBoardWriter.Create(_folder.Root, purgeStep: 40, time: new Clock()))
        {
            path = writer.Path;
        }

        Assert.EndsWith(".1", path, StringComparison.Ordinal);
        var events = EventFile.Read(path);
        Assert.Equal((1, 40), (events[1].SessionStatus, events[1].Step));
    }

    // RFC 3720, B.4, and the usual check value.
    [Fact]
    public void MaskedCrc_KnownValues_AreRight()
    {
        Assert.Equal(EventFile.Mask(0xE3069283), TensorBoardWriter.MaskedCrc("123456789"u8));
        Assert.Equal(EventFile.Mask(0x8A9136AA), TensorBoardWriter.MaskedCrc(new byte[32]));
        Assert.Equal(0xE3069283, EventFile.Crc32C(Encoding.ASCII.GetBytes("123456789")));
    }

    [Fact]
    public void Create_WhereAFileIs_IsRefused() =>
        Assert.Throws<AsrException>(() => TensorBoardWriter.Create(_folder.Write("runs", "")));

    private sealed class Clock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_250);
    }
}
