using AsrPlatform.Host.Live;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using static AsrPlatform.Host.Tests.Live.LiveHarness;

namespace AsrPlatform.Host.Tests.Live;

public sealed class LiveMetricsTests
{
    [Fact]
    public async Task Session_FromStartToEnd_IsCounted()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        using var sessions = Collect<int>("live.sessions");
        using var viewers = Collect<int>("live.viewers");
        using var audio = Collect<double>("live.audio");
        using var captions = Collect<long>("live.captions");
        using var decodings = Collect<double>("live.decode.duration");
        var session = await live.OpenAsync();
        var watching = WatchAsync(session);
        await SendAsync(session, new SpokenAudio().Say(1, 2).Silence(1));
        await session.EndAsync(Cancelled);
        await watching;

        Assert.Equal([1, -1], sessions.GetMeasurementSnapshot().Select(measurement => measurement.Value));
        Assert.Equal([1, -1], viewers.GetMeasurementSnapshot().Select(measurement => measurement.Value));
        Assert.Equal(1.6, audio.GetMeasurementSnapshot().Sum(measurement => measurement.Value), 1e-9);
        Assert.Equal("committed", captions.GetMeasurementSnapshot()[^1].Tags["state"]);
        Assert.Equal(recognizer.Calls.Count, decodings.GetMeasurementSnapshot().Count);

        MetricCollector<T> Collect<T>(string name)
            where T : struct => new(live.Meters, LiveMetrics.MeterName, name);
    }
}
