using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Decoding.Scoring;
using AsrPlatform.Whisper.Streaming;

namespace AsrPlatform.Host.Learning.Gate;

/// <summary>Audio and who is to hear it.</summary>
/// <param name="Samples">At 16 kHz.</param>
/// <param name="Language">Code; null: the model finds out.</param>
/// <param name="Adapter">Name of an adapter that is resident; null: the base model.</param>
internal readonly record struct GateClip(ReadOnlyMemory<float> Samples, string? Language, string? Adapter);

/// <summary>What a gate asks a model. Belongs to the model's thread.</summary>
internal interface IGateModel
{
    /// <summary>What is heard in each clip, as captions would show it.</summary>
    IReadOnlyList<string> Hear(IReadOnlyList<GateClip> clips, CancellationToken cancellationToken);

    /// <summary>How likely each text is given its clip; null where the model cannot say, as for a clip that is too long for it.</summary>
    IReadOnlyList<TextScore?> Score(IReadOnlyList<(GateClip Clip, string Text)> requests, CancellationToken cancellationToken);

    /// <summary>Makes a PEFT folder resident under a name until the returned is disposed.</summary>
    /// <exception cref="AsrException">It cannot be loaded.</exception>
    IDisposable Add(string name, string folder);
}

/// <summary>A Whisper recogniser: hears as captions do, many clips at once.</summary>
internal sealed class WhisperGateModel(WhisperRecognizer recognizer, IAdapterProvider? adapters) : IGateModel
{
    private const int ClipsAtOnce = 16;

    private readonly StreamingDecoder _decoder = new(recognizer.Parts, new StreamingOptions(), recognizer.FindAdapter);
    private readonly TextScorer _scorer = new(recognizer.Parts);

    public IReadOnlyList<string> Hear(IReadOnlyList<GateClip> clips, CancellationToken cancellationToken)
    {
        var heard = new string[clips.Count];
        var most = (int)(_decoder.MaximumSeconds * recognizer.Parts.Features.SampleRateHz);
        foreach (var (index, clip) in clips.Index().Where(pair => pair.Item.Samples.Length > most))
        {
            var options = new TranscriptionOptions { Language = Known(clip.Language), Adapter = clip.Adapter ?? "none", TemperatureIncrementOnFallback = null };
            heard[index] = recognizer.Transcribe(new MemoryAudioSource(clip.Samples, recognizer.Info.SampleRateHz), options, null, cancellationToken).Text.Trim();
        }

        // Clips of about the same length waste least.
        foreach (var some in clips.Index().Where(pair => pair.Item.Samples.Length <= most).OrderBy(pair => pair.Item.Samples.Length).Chunk(ClipsAtOnce))
        {
            var passes = some.Select(pair => new StreamPass
            {
                Samples = pair.Item.Samples,
                Language = Known(pair.Item.Language),
                Adapter = pair.Item.Adapter ?? "none",
                IsFinal = true,
            }).ToArray();
            foreach (var ((index, _), hypothesis) in some.Zip(_decoder.Decode(passes, cancellationToken)))
            {
                heard[index] = string.Concat(hypothesis.Words.Select(word => word.Text)).Trim();
            }
        }

        return heard;
    }

    public IReadOnlyList<TextScore?> Score(IReadOnlyList<(GateClip Clip, string Text)> requests, CancellationToken cancellationToken)
    {
        ScoreRequest[] all = [.. requests.Select(request => new ScoreRequest(
            request.Clip.Samples, request.Text, Known(request.Clip.Language), recognizer.FindAdapter(request.Clip.Adapter ?? "none").Number))];
        try
        {
            return _scorer.Score(all, cancellationToken);
        }
        catch (AsrException)
        {
            // One that does not fit the model; the others do.
            return [.. all.Select(request => TryScore(request, cancellationToken))];
        }
    }

    public IDisposable Add(string name, string folder)
    {
        var provider = adapters ?? throw new AsrException("There is no plugin for adapters: install one, or leave cross-validation out.");
        recognizer.AddAdapter(provider.Load(recognizer.Parts.Model, name, folder));
        return new Resident(recognizer, name);
    }

    private TextScore? TryScore(ScoreRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return _scorer.Score([request], cancellationToken)[0];
        }
        catch (AsrException)
        {
            return null;
        }
    }

    private string? Known(string? language) => language is not null && recognizer.Info.Languages.Contains(language) ? language : null;

    private sealed class Resident(WhisperRecognizer recognizer, string name) : IDisposable
    {
        public void Dispose() => recognizer.RemoveAdapter(name);
    }
}
