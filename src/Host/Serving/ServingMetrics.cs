using System.Diagnostics.Metrics;

namespace AsrPlatform.Host.Serving;

/// <summary>The meter <c>AsrPlatform.Serving</c>. Safe for concurrent calls.</summary>
internal sealed class ServingMetrics(IMeterFactory factory)
{
    public const string MeterName = "AsrPlatform.Serving";

    private readonly Histogram<int> _batch = factory.Create(MeterName).CreateHistogram<int>("serving.batch.size", "{window}", "Windows of live sessions decoded together.");

    public void Batched(int windows) => _batch.Record(windows);
}
