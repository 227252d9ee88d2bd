using System.Diagnostics.Metrics;
using AsrPlatform.Abstractions.Captions;

namespace AsrPlatform.Host.Live;

/// <summary>The meter <c>AsrPlatform.Live</c>. Safe for concurrent calls.</summary>
internal sealed class LiveMetrics
{
    public const string MeterName = "AsrPlatform.Live";

    private readonly UpDownCounter<int> _sessions;
    private readonly UpDownCounter<int> _viewers;
    private readonly Counter<double> _audio;
    private readonly Counter<long> _captions;
    private readonly Counter<long> _skipped;
    private readonly Counter<long> _failures;
    private readonly Histogram<double> _decode;
    private readonly Histogram<double> _lag;

    public LiveMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(MeterName);
        _sessions = meter.CreateUpDownCounter<int>("live.sessions", "{session}", "Sessions that take audio.");
        _viewers = meter.CreateUpDownCounter<int>("live.viewers", "{viewer}", "Viewers connected.");
        _audio = meter.CreateCounter<double>("live.audio", "s", "Audio acknowledged.");
        _captions = meter.CreateCounter<long>("live.captions", "{update}", "Caption updates published, by state.");
        _skipped = meter.CreateCounter<long>("live.captions.skipped", "{update}", "Superseded tentative updates that lagging viewers were spared.");
        _failures = meter.CreateCounter<long>("live.sessions.failed", "{session}", "Sessions that an error ended.");
        _decode = meter.CreateHistogram<double>("live.decode.duration", "s", "From asking for a decoding to its result, waiting for the recogniser included.");
        _lag = meter.CreateHistogram<double>("live.lag", "s", "Audio received but not yet in any caption when one is published, by state.");
    }

    public void SessionStarted() => _sessions.Add(1);

    public void SessionStopped(bool failed)
    {
        _sessions.Add(-1);
        if (failed)
        {
            _failures.Add(1);
        }
    }

    public void ViewersChanged(int by) => _viewers.Add(by);

    public void AudioAcknowledged(double seconds) => _audio.Add(seconds);

    public void Skipped(long updates) => _skipped.Add(updates);

    public void Decoded(TimeSpan duration) => _decode.Record(duration.TotalSeconds);

    public void Published(CaptionState state, double lagSeconds)
    {
        var tag = new KeyValuePair<string, object?>("state", NameOf(state));
        _captions.Add(1, tag);
        if (state != CaptionState.Corrected)
        {
            _lag.Record(lagSeconds, tag);
        }
    }

    private static string NameOf(CaptionState state) => state switch
    {
        CaptionState.Tentative => "tentative",
        CaptionState.Committed => "committed",
        _ => "corrected",
    };
}
