using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Tokens;
using AsrPlatform.Whisper.Training;
using AsrPlatform.WhisperTorch.Training;
using static AsrPlatform.WhisperTorch.Tests.Training.FreshModelTests.Sounds;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>A model that <c>models create</c> makes learns with the settings of training from nothing.</summary>
public sealed class FreshModelTests
{
    [Fact]
    public void Train_AFreshModel_LowersTheLoss()
    {
        using var folder = new TemporaryFolder();
        var model = folder.File("model");
        FreshCheckpoint.Write(model, Texts, new FreshCheckpointOptions
        {
            Vocabulary = 264,
            Width = 32,
            EncoderLayers = 2,
            DecoderLayers = 1,
            Heads = 2,
            FeedForward = 64,
            ContextSeconds = 2,
            MaxTokens = 32,
        });
        var request = new TrainingRequest
        {
            ModelDirectory = model,
            OutputDirectory = folder.File("out"),
            Train = new TestDataset([.. Texts.Select((text, index) => Sample(WhisperTokenizer.Load(model), text, index))]),
            Language = "en",
            Task = "transcribe",
            Device = "cpu",
            Threads = 1,
            Arguments = new Dictionary<string, string>
            {
                ["max-steps"] = "25",
                ["per-device-train-batch-size"] = "4",
                ["learning-rate"] = "3e-3",
                ["warmup-steps"] = "3",
                ["adam-beta2"] = "0.98",
                ["ctc-weight"] = "0.5",
                ["label-smoothing-factor"] = "0.1",
                ["encoder-context"] = "dynamic",
                ["train-sampling-strategy"] = "short_first",
                ["logging-steps"] = "5",
                ["save-strategy"] = "no",
            },
        };

        var outcome = new TorchTrainer(new TorchBackend(new WhisperTorchOptions())).Train(request, null);

        Assert.True(outcome.Completed);
        var losses = TrainerState.Load(folder.File("out")).LogHistory.Where(entry => entry.Values.ContainsKey("loss")).Select(entry => entry.Values["loss"]).ToList();
        Assert.Equal(5, losses.Count);
        Assert.True(losses[^1] < 0.6 * losses[0], string.Join(' ', losses));
        using var result = WhisperCheckpoint.Open(folder.File("out"));
        Assert.Equal(64, result.Config.EncoderFfnDim);
    }

    [Fact]
    public void CtcLoss_OfARowOfSilence_CountsAsAFewCharacters()
    {
        using var scope = torch.NewDisposeScope();
        var logProbabilities = torch.zeros(80, 1, 5).log_softmax(-1);

        var plain = CtcHead.Loss(logProbabilities, [80], [[]]).item<float>();
        var head = CtcHead.Loss(logProbabilities, [80], [[]], 8).item<float>();
        var speech = CtcHead.Loss(logProbabilities, [80], [[.. Enumerable.Repeat(new[] { 1, 2 }, 10).SelectMany(pair => pair)]], 8).item<float>();

        // Every one of 80 positions is a blank of one in five.
        Assert.Equal(80 * Math.Log(5), plain, 1e-2);
        Assert.Equal(plain / 10, head, 1e-3);
        Assert.Equal(CtcHead.Loss(logProbabilities, [80], [[.. Enumerable.Repeat(new[] { 1, 2 }, 10).SelectMany(pair => pair)]]).item<float>(), speech, 1e-5);
    }

    /// <summary>Features that tell the words apart.</summary>
    internal static class Sounds
    {
        public static readonly string[] Texts = ["the cat sat", "the hat", "a mat", "that cat ate", "the rat", "a hat and a cat", "", "the mat"];

        public static TrainingSample Sample(WhisperTokenizer tokenizer, string text, int index)
        {
            var frames = Math.Max(20, 10 * text.Length);
            var random = SeededRandom.Of(1, "sounds", index);
            var values = new float[80 * frames];
            for (var frame = 0; frame < frames; frame++)
            {
                var character = text.Length > 0 ? text[frame * text.Length / frames] : ' ';
                for (var bin = 0; bin < 80; bin++)
                {
                    values[(bin * frames) + frame] = (float)((bin / 3 == character % 26 ? 1 : -0.5) + (0.1 * random.NextDouble()));
                }
            }

            return new TrainingSample
            {
                Id = $"{index}",
                Text = text,
                Labels = tokenizer.EncodeLabels(text, "en", TranscriptionTask.Transcribe, timestamps: false),
                Features = new FeatureMatrix(values, 80, frames, frames),
            };
        }
    }
}
