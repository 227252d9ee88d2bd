using System.Diagnostics.Metrics;

namespace AsrPlatform.Host.Security;

/// <summary>The meter <c>AsrPlatform.Security</c>. Safe for concurrent calls.</summary>
internal sealed class SecurityMetrics(IMeterFactory factory)
{
    public const string MeterName = "AsrPlatform.Security";

    private readonly Counter<long> _refused = factory.Create(MeterName).CreateCounter<long>("security.refused", "{request}", "Requests refused, by reason.");

    /// <summary>Counts a request that was refused.</summary>
    /// <param name="reason">One of a few words; no part of the request.</param>
    public void Refused(string reason) => _refused.Add(1, new KeyValuePair<string, object?>("reason", reason));
}
