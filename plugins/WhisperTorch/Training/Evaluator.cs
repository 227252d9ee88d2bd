using System.Diagnostics;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Decoding.HuggingFace;
using AsrPlatform.Whisper.Text;
using AsrPlatform.Whisper.Tokens;
using AsrPlatform.Whisper.Training;
using AsrPlatform.WhisperTorch.Model;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>Measures a model on examples: teacher-forced loss, and the word error rate of what it writes.</summary>
/// <param name="model">The model.</param>
/// <param name="config">Its configuration.</param>
/// <param name="pass">Computes losses.</param>
/// <param name="collator">Makes batches.</param>
/// <param name="dataset">The examples.</param>
/// <param name="arguments">Sizes and limits.</param>
internal sealed class Evaluator(
    WhisperModel model,
    WhisperConfig config,
    GradientPass pass,
    WhisperCollator collator,
    ITrainingDataset dataset,
    TrainingArguments arguments)
{
    /// <summary>Batches that are loaded ahead.</summary>
    private const int Ahead = 4;

    /// <summary>What writing needs; null measures the loss alone.</summary>
    public Generation? Writes { get; init; }

    /// <summary>Evaluates.</summary>
    /// <param name="progress">Told how many examples are done.</param>
    /// <param name="cancellationToken">Stops between two batches.</param>
    /// <returns>
    /// <c>eval_loss</c>, the mean over batches of their mean loss of a token, weighted by examples, as Hugging Face's trainer has it;
    /// <c>eval_wer</c> in per cent; and the times.
    /// </returns>
    public Dictionary<string, double> Evaluate(Action<int>? progress, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        var loss = 0.0;
        var done = 0;
        var batches = 0;
        var errors = ErrorCounts.None;
        var jobs = Enumerable.Range(0, dataset.Count).Chunk(arguments.PerDeviceEvalBatchSize)
            .Select(rows => (Func<TrainingBatch>)(() => collator.Collate(Array.ConvertAll(rows, dataset.Load))));
        using var loader = new BatchLoader<TrainingBatch>(jobs, Ahead);
        while (loader.TryNext(out var batch))
        {
            cancellationToken.ThrowIfCancellationRequested();
            loss += pass.Evaluate(MicroBatch.Of(batch!)) / Math.Max(1, batch!.TokenCount) * batch.Batch;
            if (Writes is { } writes)
            {
                errors += WordErrorRate.Measure(Write(writes, batch, cancellationToken).Zip(batch.Samples, (text, sample) => (sample.Text, text)));
            }

            done += batch.Batch;
            batches++;
            progress?.Invoke(done);
        }

        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var metrics = new Dictionary<string, double> { ["eval_loss"] = loss / Math.Max(1, done) };
        if (Writes is not null)
        {
            metrics["eval_wer"] = 100 * errors.WordErrorRate;
        }

        metrics["eval_runtime"] = Math.Round(seconds, 4);
        metrics["eval_samples_per_second"] = Math.Round(done / seconds, 3);
        metrics["eval_steps_per_second"] = Math.Round(batches / seconds, 3);
        return metrics;
    }

    private IEnumerable<string> Write(Generation writes, TrainingBatch batch, CancellationToken cancellationToken)
    {
        // The encoder sees what it sees in training: where the context is dynamic, no more frames than the batch has.
        using var generator = new HuggingFaceGenerator(model, config with { MaxSourcePositions = batch.Frames / 2 }, writes.Config);
        var size = batch.FeatureSize * batch.Frames;
        var rows = Enumerable.Range(0, batch.Batch).Select(row => new FeatureMatrixWindows(new FeatureMatrix(
            batch.Features.AsSpan(row * size, size).ToArray(), batch.FeatureSize, batch.Frames, Math.Min(batch.FrameCounts[row], batch.Frames))));
        var languages = batch.Samples.Select(sample => sample.Language ?? writes.Language).ToArray();
        var options = new GenerationOptions
        {
            Languages = languages.Contains(null) ? [] : [.. languages!],
            Task = writes.Task,
            MaxLength = arguments.GenerationMaxLength,
        };
        var results = generator.Generate([.. rows], options, cancellationToken: cancellationToken);
        return results.Select(result => writes.Tokenizer.Decode(result.Tokens.ToArray()));
    }

    /// <summary>What evaluation writes with.</summary>
    /// <param name="Tokenizer">Turns tokens into text.</param>
    /// <param name="Config">How to decode.</param>
    /// <param name="Language">Language of examples that say none; null detects it.</param>
    /// <param name="Task">The task; null is the model's default.</param>
    internal sealed record Generation(WhisperTokenizer Tokenizer, GenerationConfig Config, string? Language, TranscriptionTask? Task);
}
