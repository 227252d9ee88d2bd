using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Security;

/// <summary>Measures the audio that one connection sends.</summary>
/// <remarks>Safe for concurrent calls.</remarks>
internal sealed class AudioMeter(LimitOptions limits, TimeProvider time)
{
    /// <summary>What may come at once: who resumes sends what he could not send before.</summary>
    private const int BurstSeconds = 10;

    private readonly Lock _gate = new();
    private double _free = (double)limits.AudioBytesPerSecond * BurstSeconds;
    private long _at = time.GetTimestamp();

    /// <summary>The chunks of a sender, each counted as it is taken.</summary>
    /// <remarks>Reading throws <see cref="AsrException"/> when they are too many a second, or the session has all the audio that it may have.</remarks>
    public ChannelReader<string> Count(ChannelReader<string> chunks, LiveSession session) => new Reader(chunks, this, session);

    /// <summary>A client's null counts as nothing: the session says what is wrong with it.</summary>
    private void Take(string? chunk, LiveSession session)
    {
        var seconds = (double)session.Position.AcknowledgedSamples / session.Settings.SampleRateHz;
        if (seconds >= limits.SessionDuration.TotalSeconds)
        {
            throw new AsrException($"session '{session.Id}' has {limits.SessionDuration} of audio, the most that Limits:SessionDuration allows: end it and start another one");
        }

        lock (_gate)
        {
            var now = time.GetTimestamp();
            _free = Math.Min((double)limits.AudioBytesPerSecond * BurstSeconds, _free + (time.GetElapsedTime(_at, now).TotalSeconds * limits.AudioBytesPerSecond));
            _at = now;
            _free -= (chunk?.Length ?? 0) / 4 * 3;
            if (_free < 0)
            {
                throw new AsrException($"this connection sends more than {limits.AudioBytesPerSecond} bytes of audio a second, the most that Limits:AudioBytesPerSecond allows: send more slowly");
            }
        }
    }

    private sealed class Reader(ChannelReader<string> chunks, AudioMeter meter, LiveSession session) : ChannelReader<string>
    {
        public override Task Completion => chunks.Completion;

        public override bool TryRead([MaybeNullWhen(false)] out string item)
        {
            if (!chunks.TryRead(out item))
            {
                return false;
            }

            meter.Take(item, session);
            return true;
        }

        public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) => chunks.WaitToReadAsync(cancellationToken);
    }
}
