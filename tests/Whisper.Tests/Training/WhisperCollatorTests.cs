using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Features;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class WhisperCollatorTests
{
    private const int Start = 255;
    private const int End = 256;

    private static WhisperConfig Config => WhisperConfig.Load(Fixtures.Path("trainer/init"));

    /// <summary>The fixture's batches: labels without the start token, padded with −100, features of the model's whole context.</summary>
    [Fact]
    public void Collate_TheFixturesExamples_GivesItsRows()
    {
        using var file = SafetensorsFile.Open(Fixtures.Path("trainer/batches.safetensors"));
        var features = file["input_features"].ToSingle();
        var labels = MemoryMarshal.Cast<byte, long>(file["labels"].Bytes).ToArray();
        var width = (int)file["labels"].Shape[1];
        var samples = Enumerable.Range(0, 4).Select(row => new TrainingSample
        {
            Features = new FeatureMatrix(features[(row * 80 * 200)..((row + 1) * 80 * 200)], 80, 200, 200),
            Labels = [Start, .. labels.Skip(row * width).Take(width).Where(label => label != -100).Select(label => (int)label)],
            Text = "",
        }).ToArray();
        var batch = new WhisperCollator(Config, EncoderContext.Full).Collate(samples);
        Assert.Equal((4, 80, 200), (batch.Batch, batch.FeatureSize, batch.Frames));
        Assert.Equal(features[..(4 * 80 * 200)], batch.Features);
        for (var row = 0; row < 4; row++)
        {
            // The fixture's rows are padded to one length for all 24.
            Assert.Equal(
                labels.Skip(row * width).Take(batch.LabelLength).Select(label => (int)label), batch.Labels.Skip(row * batch.LabelLength).Take(batch.LabelLength));
            Assert.All(labels.Skip((row * width) + batch.LabelLength).Take(width - batch.LabelLength), label => Assert.Equal(-100, label));
        }

        Assert.Equal(41, batch.TokenCount); // num_items_in_batch of the first step of trainer/full
    }

    [Fact]
    public void Collate_TheStartOfAllRows_IsTakenOff()
    {
        var batch = Collate([Sample([Start, 7, End]), Sample([Start, 8, 9, 10, End])]);
        Assert.Equal(4, batch.LabelLength);
        Assert.Equal([7, End, -100, -100, 8, 9, 10, End], batch.Labels);
        Assert.Equal([Start, 7, End, End, Start, 8, 9, 10], batch.DecoderInputs);
        Assert.Equal([2, 4], batch.LabelCounts);
    }

    [Fact]
    public void Collate_TheStartOfSomeRows_Stays() =>
        Assert.Equal([Start, 7, End, 8, End, -100], Collate([Sample([Start, 7, End]), Sample([8, End])]).Labels);

    /// <summary>Whisper's padding token is its end token: only what is beyond a row's labels is padding.</summary>
    [Fact]
    public void Collate_TheRealEnd_IsALabelThoughItIsThePaddingToken()
    {
        Assert.Equal(End, Config.PadTokenId);
        var batch = Collate([Sample([Start, 7, End, 8, End]), Sample([Start, 7, End])]);
        Assert.Equal([7, End, 8, End, 7, End, -100, -100], batch.Labels);
        Assert.Equal(6, batch.TokenCount);
    }

    [Theory]
    [InlineData(5, 3, 6)]
    [InlineData(4, 2, 4)]
    [InlineData(1, 1, 2)]
    public void Collate_DynamicContext_PadsToTheLongestAndEven(int first, int second, int frames)
    {
        var batch = Collate([Sample([1], first, 1f), Sample([1], second, 2f)], EncoderContext.Dynamic);
        Assert.Equal(frames, batch.Frames);
        Assert.Equal([first, second], batch.FrameCounts);
        Assert.Equal(Enumerable.Repeat(1f, first).Concat(Enumerable.Repeat(-1f, frames - first)), batch.Features.Take(frames));
        Assert.Equal(Enumerable.Repeat(2f, second).Concat(Enumerable.Repeat(0f, frames - second)), batch.Features.Skip(80 * frames).Take(frames));
    }

    /// <summary>Features that end soon after the audio become those of the audio padded to 30 s: silence goes on.</summary>
    [Theory]
    [InlineData("fox")]
    [InlineData("jfk")]
    [InlineData("noise_1s")]
    public void Collate_ShortFeatures_BecomeThoseOfThirtySeconds(string signal)
    {
        var expected = FeatureFixture.Read(signal);
        var known = NpyArray.Read(Fixtures.Path($"features/{signal}_80.npy"));
        var frames = known.Shape[1];
        var config = Config with { MaxSourcePositions = 1500 };
        var batch = new WhisperCollator(config, EncoderContext.Full).Collate(
            [new TrainingSample { Features = new FeatureMatrix(known.ToSingle(), 80, frames, frames), Labels = [1], Text = "" }]);
        Assert.Equal(3000, batch.Frames);
        for (var index = 0; index < expected.Length; index++)
        {
            Assert.Equal(expected[index], batch.Features[index], 1e-6f);
        }
    }

    [Fact]
    public void Collate_SilenceAlone_GoesOnAsSilence()
    {
        var silence = new LogMelExtractor(80).Extract(new float[3200]);
        var batch = Collate([new TrainingSample { Features = silence, Labels = [1], Text = "" }]);
        Assert.All(batch.Features, value => Assert.Equal(-1.5f, value));
    }

    [Fact]
    public void Collate_WhatDoesNotFit_IsRefusedByName()
    {
        Assert.Contains("long.wav: its audio has 201 frames", Refused(Sample([1], 201) with { Id = "long.wav" }), StringComparison.Ordinal);
        Assert.Contains("long.wav: its text has 65 tokens", Refused(Sample([Start, .. Enumerable.Repeat(1, 65)]) with { Id = "long.wav" }), StringComparison.Ordinal);
        Assert.Contains("x.wav: it has no labels", Refused(Sample([]) with { Id = "x.wav" }), StringComparison.Ordinal);
        Assert.Contains(
            "its features have 128 mel bins",
            Refused(new TrainingSample { Features = new FeatureMatrix(new float[128], 128, 1, 1), Labels = [1], Text = "" }),
            StringComparison.Ordinal);
        Assert.Equal(64, Collate([Sample([Start, .. Enumerable.Repeat(1, 64)])]).LabelLength);
    }

    private static string Refused(TrainingSample sample) => Assert.Throws<AsrException>(() => Collate([sample])).Message;

    private static TrainingBatch Collate(TrainingSample[] samples, EncoderContext context = EncoderContext.Full) => new WhisperCollator(Config, context).Collate(samples);

    private static TrainingSample Sample(int[] labels, int frames = 4, float value = 0) =>
        new() { Features = new FeatureMatrix([.. Enumerable.Repeat(value, 80 * frames)], 80, frames, frames), Labels = labels, Text = "" };
}
