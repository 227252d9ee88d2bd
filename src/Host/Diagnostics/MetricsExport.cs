using Microsoft.Extensions.Options;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace AsrPlatform.Host.Diagnostics;

/// <summary>Sends metrics to the collector that <see cref="TelemetryOptions.OtlpEndpoint"/> names; does nothing where none is named.</summary>
internal sealed class MetricsExport(IOptions<TelemetryOptions> options, ILogger<MetricsExport> logger) : IHostedService, IDisposable
{
    /// <summary>The last values get this long at shutdown; a collector that is gone must not hold it up.</summary>
    private const int FlushMilliseconds = 2000;

    /// <summary>The host's own, the server's, and the runtime's.</summary>
    private static readonly string[] Meters = ["AsrPlatform.*", "Microsoft.AspNetCore.*", "System.Runtime"];

    private MeterProvider? _provider;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Value is { OtlpEndpoint.Length: > 0 } wanted)
        {
            var endpoint = new Uri(wanted.OtlpEndpoint);
            _provider = Sdk.CreateMeterProviderBuilder()
                .ConfigureResource(resource => resource.AddService("asrplatform", serviceVersion: typeof(MetricsExport).Assembly.GetName().Version?.ToString(3)))
                .AddMeter(Meters)
                .AddOtlpExporter((exporter, reader) =>
                {
                    exporter.Endpoint = endpoint;
                    exporter.Protocol = wanted.OtlpProtocol == OtlpProtocol.Http ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
                    reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = (int)wanted.Interval.TotalMilliseconds;
                })
                .Build();
            logger.LogInformation("Metrics go to {Endpoint} every {Interval}", endpoint.GetLeftPart(UriPartial.Path), wanted.Interval);
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _provider?.Shutdown(FlushMilliseconds);
        return Task.CompletedTask;
    }

    public void Dispose() => _provider?.Dispose();
}
