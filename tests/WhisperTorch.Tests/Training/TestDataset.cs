using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Features;
using AsrPlatform.Whisper.Tokens;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>Examples in memory.</summary>
internal sealed class TestDataset(IReadOnlyList<TrainingSample> samples) : ITrainingDataset
{
    public int Count => samples.Count;

    public TrainingSampleInfo Describe(int index) => new()
    {
        Id = samples[index].Id,
        Text = samples[index].Text,
        Frames = samples[index].Features.ValidFrames,
        Language = samples[index].Language,
        IsReplay = samples[index].IsReplay,
    };

    public TrainingSample Load(int index) => samples[index];

    /// <summary>A manifest of <c>fixtures/finetune</c>, read with the micro model's features and tokenizer.</summary>
    public static TestDataset OfManifest(string fixture, string modelDirectory)
    {
        var tokenizer = WhisperTokenizer.Load(modelDirectory);
        var extractor = new LogMelExtractor(80);
        return new TestDataset([.. Fixtures.Lines(fixture).Select(line =>
        {
            var audio = Path.GetFileName(line["audio"]!.GetValue<string>());
            var text = line["text"]!.GetValue<string>();
            var samples = WavFixture.Read($"audio/{audio}");
            return new TrainingSample { Id = audio, Text = text, Labels = tokenizer.EncodeLabels(text, "en", TranscriptionTask.Transcribe, timestamps: false), Features = extractor.Extract(samples, 480000) };
        })]);
    }

    /// <summary>The examples of <c>fixtures/trainer</c>; labels begin with the start token.</summary>
    public static TestDataset OfTrainerFixture(params IEnumerable<int> rows)
    {
        using var fixture = new TrainerFixture();
        return new TestDataset([.. rows.Select(row =>
        {
            var batch = fixture.Batch(row);
            return new TrainingSample
            {
                Id = $"row {row}",
                Text = $"text {row}",
                Labels = [TrainerFixture.StartToken, .. batch.Labels.Where(label => label != TrainingBatch.Ignored)],
                Features = new FeatureMatrix(batch.Features, TrainerFixture.Mels, TrainerFixture.Frames, TrainerFixture.Frames),
            };
        })]);
    }
}
