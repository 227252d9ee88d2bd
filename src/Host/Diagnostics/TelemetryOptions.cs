using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Diagnostics;

/// <summary>Where metrics go. Bound from the section <c>Telemetry</c>; read once at start.</summary>
internal sealed class TelemetryOptions : IValidateOptions<TelemetryOptions>
{
    public const string Section = "Telemetry";

    /// <summary>An OpenTelemetry collector, such as <c>http://127.0.0.1:4317</c> (gRPC) or <c>http://127.0.0.1:4318/v1/metrics</c> (HTTP). Left out: nothing is sent anywhere.</summary>
    public string? OtlpEndpoint { get; set; }

    /// <summary>How the collector is spoken to. Default gRPC.</summary>
    public OtlpProtocol OtlpProtocol { get; set; } = OtlpProtocol.Grpc;

    /// <summary>Time between two exports. Default 15 s, 1 s … 1 h.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(15);

    public ValidateOptionsResult Validate(string? name, TelemetryOptions options)
    {
        List<string> errors = [];
        if (options.OtlpEndpoint is { Length: > 0 } endpoint && !(Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
        {
            errors.Add($"{Section}:{nameof(OtlpEndpoint)} is '{endpoint}'; give an address such as http://127.0.0.1:4317.");
        }

        if (options.Interval < TimeSpan.FromSeconds(1) || options.Interval > TimeSpan.FromHours(1))
        {
            errors.Add($"{Section}:{nameof(Interval)} is {options.Interval}; it must be 1 s … 1 h.");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}

/// <summary>Ways to speak to a collector.</summary>
internal enum OtlpProtocol
{
    /// <summary>gRPC.</summary>
    Grpc,

    /// <summary>Protocol buffers in HTTP requests.</summary>
    Http,
}
