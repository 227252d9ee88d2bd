using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Api.OpenAi;

/// <summary>Limits of the OpenAI-compatible API. Bound from the section <c>OpenAi</c>; read once at start.</summary>
internal sealed class OpenAiOptions : IValidateOptions<OpenAiOptions>
{
    public const string Section = "OpenAi";

    /// <summary>Largest audio file, in bytes. Default 256 MiB (OpenAI takes 25 MB), 1 KiB … 16 GiB.</summary>
    public long MaximumUploadBytes { get; set; } = 256L << 20;

    /// <summary>Longest audio of a file, however small it is packed. Default 4 h, 1 s … 2 days.</summary>
    public TimeSpan MaximumDuration { get; set; } = TimeSpan.FromHours(4);

    /// <summary>Files at a time, those included that are being uploaded or wait for the recogniser; the next one is refused with 429. Default 16, 1 … 10,000.</summary>
    public int MaximumRequests { get; set; } = 16;

    /// <summary>Largest message of a Realtime client, in bytes. Default 4 MiB (a minute of audio), 64 KiB … 32 MiB.</summary>
    public int MaximumMessageBytes { get; set; } = 4 << 20;

    /// <summary>Audio that a Realtime client without turn detection may append before it commits. Default 5 min, 1 s … 1 h.</summary>
    public TimeSpan MaximumBufferedAudio { get; set; } = TimeSpan.FromMinutes(5);

    public ValidateOptionsResult Validate(string? name, OpenAiOptions options)
    {
        List<string> errors = [];
        Check(nameof(MaximumUploadBytes), options.MaximumUploadBytes, 1 << 10, 16L << 30, "");
        Check(nameof(MaximumDuration), options.MaximumDuration.TotalSeconds, 1, 172_800, " s");
        Check(nameof(MaximumRequests), options.MaximumRequests, 1, 10_000, "");
        Check(nameof(MaximumMessageBytes), options.MaximumMessageBytes, 64 << 10, 32 << 20, "");
        Check(nameof(MaximumBufferedAudio), options.MaximumBufferedAudio.TotalSeconds, 1, 3_600, " s");
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void Check(string option, double value, double minimum, double maximum, string unit)
        {
            if (value < minimum || value > maximum)
            {
                errors.Add(FormattableString.Invariant($"{Section}:{option} is {value}{unit}; it must be {minimum}{unit} … {maximum}{unit}."));
            }
        }
    }
}
