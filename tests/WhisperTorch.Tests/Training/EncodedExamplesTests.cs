using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;
using AsrPlatform.WhisperTorch.Model;
using AsrPlatform.WhisperTorch.Training;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>A frozen encoder hears each example once.</summary>
public sealed class EncodedExamplesTests
{
    private const string InTheDecoder = """{"r": 4, "lora_alpha": 8, "target_modules": ".*decoder.*(q_proj|k_proj|v_proj|fc1)"}""";

    /// <summary>Rows of different length in one batch are what each is for itself, the first time and from memory.</summary>
    [Fact]
    public void Gradients_OfRowsOfDifferentLength_AreThoseOfEachAlone()
    {
        int[] frames = [200, 120, 62, 120];
        int[] rows = [0, 5, 9, 5];
        using var fixture = new TrainerFixture();
        var together = fixture.Batch(rows) with { Examples = [.. frames.Zip(rows, (count, row) => new ExampleFrames(count, (UInt128)row))] };
        var factors = new LossFactors(1.0 / together.Tokens, 0);
        using var model = TrainerFixture.LoadModel();
        using var parameters = new TrainableParameters(TrainerFixture.Trained(model, freezeEncoder: true));
        var expectedLoss = 0.0;
        foreach (var (row, count) in rows.Zip(frames))
        {
            using var loss = Pass(null).Accumulate(Cut(fixture.Batch(row), count), factors);
            expectedLoss += loss.ToDouble();
        }

        var expected = Take();
        using var encoded = new EncodedExamples();
        for (var time = 0; time < 2; time++)
        {
            using var loss = Pass(encoded).Accumulate(together, factors);
            Assert.Equal(expectedLoss, loss.ToDouble(), 1e-5 * expectedLoss);
            Assert.InRange(expected.Zip(Take(), (one, other) => Math.Abs(one - other)).Max(), 0, 2e-5 * expected.Max(Math.Abs));
            Assert.Equal(3, encoded.Count);
        }

        // With the batch's padding they would be others: the encoder hears it.
        using var padded = Pass(null).Accumulate(together with { Examples = [] }, factors);
        Assert.NotEqual(expectedLoss, padded.ToDouble(), 1e-3 * expectedLoss);

        GradientPass Pass(EncodedExamples? states) => new(
            model, TrainerFixture.Config(), new GradientPassOptions { FreezeEncoder = true }, TrainerFixture.StartToken, TrainerFixture.PaddingToken, encoded: states);

        float[] Take()
        {
            var values = new float[parameters.Gradients.numel()];
            HostMemory.Copy(parameters.Gradients, values);
            parameters.Gradients.zero_();
            return values;
        }
    }

    /// <summary>With the divergence, and whatever stands beside a row: the encoder's states do not depend on it.</summary>
    [Fact]
    public void ARunThatAdaptsTheDecoderAlone_IsTheOneThatEncodesEachTime()
    {
        var once = Losses(("per-device-train-batch-size", "4"));
        var eachTime = Losses(("per-device-train-batch-size", "1"), ("gradient-accumulation-steps", "4"), ("gradient-checkpointing", "true"));
        Assert.Equal(6, once.Length);
        Assert.All(once.Zip(eachTime), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
        Assert.NotEqual(once[0], once[^1], 1e-2);
    }

    [Fact]
    public void Keys_OfEqualFrames_AreEqualWhateverTheBatch()
    {
        var samples = TestDataset.OfTrainerFixture(0, 1, 2);
        var collator = new WhisperCollator(TrainerFixture.Config(), EncoderContext.Dynamic);
        var pair = Of(EncoderContext.Dynamic, Sample(0, 99), Sample(1, 150));
        var alone = Of(EncoderContext.Dynamic, Sample(0, 99));
        Assert.Equal(pair[0], alone[0]);
        Assert.Equal((100, 150), (pair[0].Frames, pair[1].Frames));
        Assert.NotEqual(pair[0].Key, pair[1].Key);
        Assert.NotEqual(alone[0].Key, Of(EncoderContext.Dynamic, Sample(0, 97))[0].Key);
        Assert.Equal(150, Of(EncoderContext.Full, Sample(0, 99), Sample(1, 150))[0].Frames);

        TrainingSample Sample(int row, int frames) => samples.Load(row) is var sample
            ? sample with { Features = new FeatureMatrix(sample.Features.Values, TrainerFixture.Mels, TrainerFixture.Frames, frames) }
            : throw new InvalidOperationException();

        IReadOnlyList<ExampleFrames> Of(EncoderContext context, params TrainingSample[] rows) => MicroBatch.Of(collator.Collate(rows), examples: context).Examples;
    }

    private static double[] Losses(params (string Name, string Value)[] arguments)
    {
        var all = new Dictionary<string, string>
        {
            ["max-steps"] = "6",
            ["learning-rate"] = "0.01",
            ["logging-steps"] = "1",
            ["save-strategy"] = "no",
            ["train-sampling-strategy"] = "sequential",
            ["encoder-context"] = "dynamic",
            ["kl-weight"] = "1",
            ["report-to"] = "none",
        };
        foreach (var (name, value) in arguments)
        {
            all[name] = value;
        }

        using var output = new TemporaryFolder();
        var samples = TestDataset.OfTrainerFixture(Enumerable.Range(0, 8));
        var request = TrainerRuns.Request(output.Root, all, new TestDataset([.. Enumerable.Range(0, 8).Select(index => samples.Load(index) is var sample
            ? sample with { Features = new FeatureMatrix(sample.Features.Values, TrainerFixture.Mels, TrainerFixture.Frames, 100 + (11 * index)), IsReplay = index % 3 == 1 }
            : throw new InvalidOperationException())]));
        TrainerRuns.Train(request with { Adapter = TrainerRuns.Adapter(null, InTheDecoder) });
        return [.. TrainerState.Load(output.Root).LogHistory.Where(line => line.Values.ContainsKey("loss")).Select(line => line.Values["loss"])];
    }

    /// <summary>A batch of one without the frames beyond the first ones.</summary>
    private static MicroBatch Cut(MicroBatch batch, int frames) => batch with
    {
        Features = [.. Enumerable.Range(0, TrainerFixture.Mels).SelectMany(bin => new ArraySegment<float>(batch.Features, bin * batch.Frames, frames))],
        Frames = frames,
    };
}
