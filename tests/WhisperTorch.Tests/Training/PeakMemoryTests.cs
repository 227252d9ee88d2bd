using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.LibTorch.Diagnostics;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Model;
using AsrPlatform.WhisperTorch.Training;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>Peaks of memory, which our own binding measures.</summary>
public sealed class PeakMemoryTests
{
    [Fact]
    public void Checkpointing_LowersThePeakOfAMicroBatch()
    {
        var whole = Peak(checkpointing: false);
        var recomputed = Peak(checkpointing: true);

        // Of twelve layers the inputs and one graph are alive, instead of twelve graphs.
        Assert.InRange(recomputed, 1, whole * 4 / 10);
    }

    private static long Peak(bool checkpointing)
    {
        using var fixture = new TrainerFixture();
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(TrainerFixture.ModelDirectory, "config.json")))!;
        (json["encoder_layers"], json["decoder_layers"]) = (8, 4);
        using var model = (WhisperModel)new TorchBackend(new WhisperTorchOptions()).CreateRandom(json.ToJsonString(), new ModelLoadOptions { Device = "cpu", Threads = 1 });
        using var parameters = new TrainableParameters(TrainerFixture.Trained(model));
        var pass = new GradientPass(
            model, WhisperConfig.Parse(json.ToJsonString()), new GradientPassOptions { Checkpointing = checkpointing }, TrainerFixture.StartToken, TrainerFixture.PaddingToken);
        var batch = fixture.Batch(Enumerable.Range(0, 24));
        GC.Collect();
        GC.WaitForPendingFinalizers();
        LibTorchRuntime.ReleaseCpuCache();
        var before = LibTorchRuntime.GetCpuMemory().LiveBytes;
        LibTorchRuntime.ResetPeakCpuMemory();
        using var loss = pass.Accumulate(batch, new LossFactors(1.0 / batch.Tokens, 0));
        return LibTorchRuntime.GetCpuMemory().PeakBytes - before;
    }
}
