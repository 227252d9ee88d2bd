using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.WhisperTorch.Model;

namespace AsrPlatform.WhisperTorch.Tests;

/// <summary>Models of the fixtures.</summary>
internal static class TestModels
{
    public static WhisperModel Load(string fixture) =>
        (WhisperModel)new TorchBackend(new WhisperTorchOptions()).Load(new ModelLoadOptions { ModelDirectory = Fixtures.Path(fixture), Device = "cpu", Threads = 1 });

    /// <summary>The last logits of a row that is decoded alone and at once.</summary>
    public static float[] Whole(ISeq2SeqModel model, IEncoderStates states, int source, params int[] tokens)
    {
        using var cache = model.CreateCache(states, [source], new DecoderCacheOptions());
        return Decode(model, cache, tokens);
    }

    /// <summary>Row <paramref name="row"/> of values with the given row length.</summary>
    public static ReadOnlySpan<float> Row(float[] values, int row, int length) => values.AsSpan(row * length, length);
}
