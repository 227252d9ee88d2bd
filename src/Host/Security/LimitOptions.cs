using AsrPlatform.Host.Api.OpenAi;
using AsrPlatform.Host.Live;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Security;

/// <summary>
/// What one caller may ask for. Bound from the section <c>Limits</c>; read once at start. Limits of the host as a whole and of a session
/// are <see cref="LiveOptions.MaximumSessions"/> and its neighbours.
/// </summary>
internal sealed class LimitOptions : IValidateOptions<LimitOptions>
{
    public const string Section = "Limits";

    /// <summary>A chunk of <see cref="LiveSession.MaximumChunkBytes"/> in base64, with room for what is around it.</summary>
    private const int SmallestHubMessage = 24 * 1024;

    /// <summary>Sessions that one key (without keys: one address) has at a time. Default 32, 1 … 10,000.</summary>
    public int SessionsPerCaller { get; set; } = 32;

    /// <summary>
    /// Bytes of PCM that one connection sends a second, over ten seconds. Default 8 MiB, 260 times the pace of speech at 16 kHz, so that a
    /// file can be sent as fast as it is recognised. 16 KiB … 1 GiB.
    /// </summary>
    public long AudioBytesPerSecond { get; set; } = 8 << 20;

    /// <summary>Audio in one session. Default 12 h, 1 min … 30 days.</summary>
    public TimeSpan SessionDuration { get; set; } = TimeSpan.FromHours(12);

    /// <summary>Bytes of one request's body, files to transcribe apart (<see cref="OpenAiOptions.MaximumUploadBytes"/>). Default 1 MiB, 1 KiB … 1 GiB.</summary>
    public long BodyBytes { get; set; } = 1 << 20;

    /// <summary>Requests of one key (without one: of one address) in a minute; a hub's connection is one, its calls are none. Default 1,200, 1 … 1,000,000.</summary>
    public int RequestsPerMinute { get; set; } = 1200;

    /// <summary>
    /// Bytes of one message to the hub; a longer one closes the connection. Default 64 KiB, so that whoever sends chunks of audio that are
    /// too large is told so. 24 KiB … 1 MiB.
    /// </summary>
    public int HubMessageBytes { get; set; } = 64 << 10;

    public ValidateOptionsResult Validate(string? name, LimitOptions options)
    {
        List<string> errors = [];
        Check(nameof(SessionsPerCaller), options.SessionsPerCaller, 1, 10_000);
        Check(nameof(AudioBytesPerSecond), options.AudioBytesPerSecond, 16 << 10, 1 << 30);
        Check(nameof(BodyBytes), options.BodyBytes, 1 << 10, 1 << 30);
        Check(nameof(RequestsPerMinute), options.RequestsPerMinute, 1, 1_000_000);
        Check(nameof(HubMessageBytes), options.HubMessageBytes, SmallestHubMessage, 1 << 20);
        if (options.SessionDuration < TimeSpan.FromMinutes(1) || options.SessionDuration > TimeSpan.FromDays(30))
        {
            errors.Add($"{Section}:{nameof(SessionDuration)} is {options.SessionDuration}; it must be 1 minute … 30 days.");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void Check(string option, long value, long minimum, long maximum)
        {
            if (value < minimum || value > maximum)
            {
                errors.Add($"{Section}:{option} is {value}; it must be {minimum} … {maximum}.");
            }
        }
    }
}
