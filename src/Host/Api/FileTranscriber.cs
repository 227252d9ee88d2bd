using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Api.OpenAi;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Serving;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Api;

/// <summary>Transcribes whole files on the host's recogniser, a bounded number at a time.</summary>
/// <remarks>Safe for concurrent calls.</remarks>
internal sealed class FileTranscriber(ModelHost model, VoiceActivityDetectorFactory detectors, IOptions<OpenAiOptions> options)
{
    private readonly OpenAiOptions _options = options.Value;
    private int _running;

    /// <summary>Takes a place for one file; disposing gives it back.</summary>
    /// <returns>Null when all <see cref="OpenAiOptions.MaximumRequests"/> are taken.</returns>
    public IDisposable? TryEnter()
    {
        if (Interlocked.Increment(ref _running) > _options.MaximumRequests)
        {
            Interlocked.Decrement(ref _running);
            return null;
        }

        return new Place(this);
    }

    /// <summary>Transcribes audio when its turn on the recogniser comes.</summary>
    /// <param name="audio">The audio, at any sample rate; borrowed until the task ends.</param>
    /// <param name="decoding">How.</param>
    /// <param name="chunking">Where to cut; null decodes all of it.</param>
    /// <param name="progress">Told the segments as they become known, on the recogniser's thread: it must not block. May be null.</param>
    /// <param name="cancellationToken">Stops between two decoding steps.</param>
    /// <exception cref="AsrException">There is no recogniser, the audio is too long or broken, or an option cannot be used.</exception>
    public async Task<TranscriptionResult> TranscribeAsync(
        IAudioSource audio,
        TranscriptionOptions decoding,
        ChunkingStrategy? chunking,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        var info = await model.ReadyAsync(cancellationToken);
        var limited = new LimitedAudioSource(ResampledAudioSource.At(audio, info.SampleRateHz), _options.MaximumDuration);
        if (chunking is null)
        {
            return await model.TranscribeAsync(limited, decoding, progress, cancellationToken);
        }

        var (clips, seconds) = await Task.Run(() => FindSpeech(limited, chunking, cancellationToken), cancellationToken);
        return clips.Count == 0
            ? new TranscriptionResult { Text = "", Language = decoding.Language, DurationSeconds = seconds }
            : await model.TranscribeAsync(limited, decoding with { ClipTimestamps = clips }, progress, cancellationToken);
    }

    /// <summary>Start and end of each stretch of speech in seconds, and the length of the audio.</summary>
    private (List<double> Clips, double Seconds) FindSpeech(IAudioSource audio, ChunkingStrategy chunking, CancellationToken cancellationToken)
    {
        var rate = audio.SampleRateHz;
        using var turns = new SpeechTurns(detectors(rate, chunking.Threshold), rate, chunking.PrefixPadding, chunking.SilenceDuration, TimeSpan.Zero);
        var buffer = new float[rate];
        List<double> clips = [];
        using var reader = audio.OpenReader();
        while (reader.Read(buffer) is > 0 and var count)
        {
            cancellationToken.ThrowIfCancellationRequested();
            clips.AddRange(turns.Write(buffer.AsSpan(0, count)).Select(turn => Seconds(turn.Position)));
        }

        if (turns.IsOpen)
        {
            clips.Add(Seconds(turns.Received));
        }

        return (clips, Seconds(turns.Received));

        double Seconds(long position) => (double)position / rate;
    }

    private sealed class Place(FileTranscriber owner) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                Interlocked.Decrement(ref owner._running);
            }
        }
    }

    /// <summary>Audio that is refused where it turns out to be too long: what is packed well may be days.</summary>
    private sealed class LimitedAudioSource(IAudioSource source, TimeSpan maximum) : IAudioSource
    {
        public int SampleRateHz => source.SampleRateHz;

        public long? LengthSamples => source.LengthSamples;

        public IAudioReader OpenReader() => new Reader(source.OpenReader(), (long)(maximum.TotalSeconds * SampleRateHz), maximum);

        private sealed class Reader(IAudioReader reader, long left, TimeSpan maximum) : IAudioReader
        {
            private long _left = left;

            public int Read(Span<float> destination)
            {
                var count = reader.Read(destination);
                _left -= count;
                return _left >= 0
                    ? count
                    : throw new AsrException($"The audio is longer than {maximum}, the most that OpenAi:MaximumDuration allows.");
            }

            public void Dispose() => reader.Dispose();
        }
    }
}
